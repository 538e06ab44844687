import type { Api } from "./api.js";
import { BEAT_MS, Leadership } from "./leadership.js";
import { Line, type Member } from "./line.js";
import { isBehind, standingOf, stateFrom } from "./replica.js";
import { Streams } from "./streams.js";
import type { News } from "./transport.js";

/** Where tabs stand, by space; null: nothing is known yet. */
type Cursors = Record<string, string | null>;

type TabMessage =
  /** All that a tab wants. */
  | { type: "want"; tab: string; spaces: Cursors }
  /** The leader lives: whom it knows, and where all its lines are. */
  | { type: "beat"; tabs: string[]; spaces: Cursors }
  | { type: "news"; spaceId: string; news: News };

/** Raised when tabs of before would no longer understand what is said. They have a stream of their own then. */
const FORMAT = 5;
const all = new Set<Tabs>();

/** Has a client follow its space. `name` tells users and relays apart among tabs; null: it shares with no other tab. */
export function follow(api: Api, name: string | null, member: Member) {
  const tabs = [...all].find((one) => one.name === name && one.api.isLike(api)) ?? new Tabs(api, name);
  return tabs.join(member);
}

/**
 * The clients of a page that ask one relay as one user, and the other tabs that do. They have one stream, whatever their
 * spaces: the tab that leads has the lines to the relay, and says what they bring to the others, which have told it
 * what they want. Who is found to be behind asks the relay for the state.
 */
class Tabs {
  /** By space. */
  readonly #members = new Map<string, Set<Member>>();
  readonly #streams: Streams;
  readonly #leadership: Leadership<TabMessage>;
  /** By space, in the tab that leads. */
  #lines: Map<string, Line> | undefined;
  /** What the others want, in the tab that leads. */
  readonly #others = new Map<string, Set<string>>();
  /** What the leader said last of the line of each space that this tab has told it of. */
  readonly #said = new Map<string, News>();
  #isWanting = false;
  readonly #due = new Set<"wake" | "offline">();
  #beatAt = 0;

  constructor(
    readonly api: Api,
    readonly name: string | null,
  ) {
    all.add(this);
    this.#streams = new Streams(api);
    this.#leadership = new Leadership(name && `spacefeed ${FORMAT} ${name}`, {
      lead: () => this.#lead(),
      follow: () => {
        this.#stopLeading();
        this.#want();
      },
      hear: (message) => this.#hear(message),
      beat: () => this.#beat(),
    });
    this.#leadership.start();
  }

  join(member: Member) {
    const others = this.#of(member.spaceId);
    const known = [...others].map((other) => other.known()).find(Boolean);
    this.#members.set(member.spaceId, others.add(member));
    if (this.#lines) {
      this.#serve(member);
    } else {
      const said = this.#said.get(member.spaceId);
      if (said) member.take(said);
      if (known) member.take({ type: "state", state: stateFrom(known) });
      this.#want();
    }
    return {
      wake: () => this.#soon("wake"),
      offline: () => this.#soon("offline"),
      close: () => this.#leave(member),
    };
  }

  /** Each client of the page hears that it is looked at, or offline: once is enough for all lines. */
  #soon(what: "wake" | "offline"): void {
    if (this.#due.has(what)) return;
    this.#due.add(what);
    queueMicrotask(() => {
      this.#due.delete(what);
      if (what === "wake" && !this.#lines) this.#leadership.look();
      for (const line of this.#lines?.values() ?? []) line[what]();
    });
  }

  #leave(member: Member): void {
    const others = this.#of(member.spaceId);
    if (!others.delete(member)) return;
    if (others.size === 0) this.#members.delete(member.spaceId);
    if (this.#members.size === 0) {
      all.delete(this);
      this.#leadership.close();
      this.#stopLeading();
    } else if (this.#lines) this.#tidy();
    else this.#want();
  }

  #of(spaceId: string): Set<Member> {
    return this.#members.get(spaceId) ?? new Set();
  }

  #all(): Member[] {
    return [...this.#members.values()].flatMap((members) => [...members]);
  }

  #isWantedElsewhere(spaceId: string): boolean {
    return [...this.#others.values()].some((spaces) => spaces.has(spaceId));
  }

  #lead(): void {
    this.#stopLeading();
    this.#said.clear();
    this.#lines = new Map();
    for (const member of this.#all()) this.#serve(member);
    this.#beat();
  }

  #stopLeading(): void {
    for (const line of this.#lines?.values() ?? []) line.close();
    this.#lines = undefined;
    this.#others.clear();
  }

  /** Begins a line, or tells one who comes to it where it is. */
  #welcome(spaceId: string, cursor: string | null, tell: (news: News) => void): void {
    const line = this.#lines?.get(spaceId);
    if (!line) {
      const begun = new Line(this.#streams, spaceId, standingOf(cursor), {
        members: () => this.#of(spaceId),
        give: (news) => {
          if (this.#isWantedElsewhere(spaceId)) this.#leadership.say({ type: "news", spaceId, news });
          for (const member of this.#of(spaceId)) member.take(news);
        },
        // Also from here: a browser makes the timers of a page that nobody looks at rare.
        beat: () => Date.now() - this.#beatAt > BEAT_MS / 2 && this.#beat(),
      });
      this.#lines?.set(spaceId, begun);
      return;
    }
    if (line.status) tell(line.status);
    const here = [...this.#of(spaceId)].map((member) => member.known());
    const other = here.find((known) => known && known.cursor !== cursor);
    if (other) tell({ type: "state", state: stateFrom(other) });
  }

  #serve(member: Member): void {
    this.#welcome(member.spaceId, member.known()?.cursor ?? null, (news) => member.take(news));
    this.#lines?.get(member.spaceId)?.catchUp();
  }

  /** Ends the lines that nobody wants any more. */
  #tidy(): void {
    for (const [spaceId, line] of this.#lines ?? []) {
      if (this.#members.has(spaceId) || this.#isWantedElsewhere(spaceId)) continue;
      line.close();
      this.#lines?.delete(spaceId);
    }
  }

  /** Two lead for a moment, when a lock is stolen: each has its own lines. */
  #hear(message: TabMessage): boolean {
    if (message.type === "want") {
      if (this.#lines) this.#note(message.tab, message.spaces);
      return false;
    }
    if (this.#lines) return false;
    if (message.type === "news") {
      const { spaceId, news } = message;
      const members = this.#of(spaceId);
      if (news.type === "status" && members.size > 0) this.#said.set(spaceId, news);
      // Before that it is for others: this tab is told all when it is heard.
      if (this.#said.has(spaceId)) for (const member of members) member.take(news);
      return true;
    }
    const { tabs, spaces } = message;
    const isKnown = [...this.#members.keys()].every((spaceId) => Object.hasOwn(spaces, spaceId));
    if (!isKnown || !tabs.includes(this.#leadership.tab)) this.#want();
    else for (const member of this.#all()) if (isBehind(member.known(), spaces[member.spaceId])) member.ask();
    return true;
  }

  /** What another tab wants, for as long as it lives. */
  #note(tab: string, wanted: Cursors): void {
    const before = this.#others.get(tab);
    this.#others.set(tab, new Set(Object.keys(wanted)));
    if (!before) {
      this.#leadership.watch(tab, () => {
        this.#others.delete(tab);
        this.#tidy();
      });
    }
    for (const [spaceId, cursor] of Object.entries(wanted)) {
      if (before?.has(spaceId)) continue;
      this.#welcome(spaceId, cursor, (news) => this.#leadership.say({ type: "news", spaceId, news }));
    }
    this.#tidy();
    this.#beat();
  }

  /** Those that come and go together are told of together. */
  #want(): void {
    if (this.#isWanting) return;
    this.#isWanting = true;
    queueMicrotask(() => {
      this.#isWanting = false;
      for (const spaceId of this.#said.keys()) if (!this.#members.has(spaceId)) this.#said.delete(spaceId);
      const spaces = this.#all().map((member) => [member.spaceId, member.known()?.cursor ?? null]);
      const { tab } = this.#leadership;
      if (!this.#lines) this.#leadership.say({ type: "want", tab, spaces: Object.fromEntries(spaces) });
    });
  }

  #beat(): void {
    this.#beatAt = Date.now();
    const spaces = [...(this.#lines ?? [])].map(([spaceId, line]) => [spaceId, line.known?.cursor ?? null]);
    const tabs = [...this.#others.keys()];
    this.#leadership.say({ type: "beat", tabs, spaces: Object.fromEntries(spaces) });
  }
}
