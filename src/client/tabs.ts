import type { Api } from "./api.js";
import { Line, type Member } from "./line.js";
import { newId } from "./mutation.js";
import { isBehind, standingOf, stateFrom } from "./replica.js";
import { Streams } from "./streams.js";
import type { News } from "./transport.js";

/*
 * One stream for all tabs of a browser, whatever their spaces. A lock of the browser says which tab leads: it has the
 * lines to the relay, and says what they bring to the others, which have told it what they want, and wait for the lock.
 * A tab that is closed or crashes gives its locks back: the next one leads, from the cursors of all, and who leads
 * learns by the tab's own lock that it has gone.
 *
 *      follower ── lock granted ──▶ leader
 *          ▲                          │
 *          └───── lock was stolen ────┘        any: the last client leaves ──▶ closed
 *                                                   refused ──▶ alone
 *
 * A follower that hears nothing for a while (the leader is frozen) steals the lock, when its page is looked at. A tab
 * to which the browser refuses locks or channels (blocked cookies, a sandboxed frame) leads alone.
 */

/** Where tabs stand, by space; null: nothing is known yet. */
type Cursors = Record<string, string | null>;

type TabMessage =
  | { type: "want"; tab: string; spaces: Cursors }
  | { type: "drop"; tab: string; spaceId: string }
  /** Another tab leads from here on, and does not know who wants what. */
  | { type: "lead" }
  /** The leader lives, and where all its lines are. */
  | { type: "beat"; spaces: Cursors }
  | { type: "news"; spaceId: string; news: News };

/** Raised when tabs of before would no longer understand what is said. They have a stream of their own then. */
const FORMAT = 5;
const BEAT_MS = 2_000;
const SILENCE_MS = 4_500;
const all = new Set<Tabs>();

/** Has a client follow its space. `name` tells users and relays apart among tabs; null: it shares with no other tab. */
export function follow(api: Api, name: string | null, member: Member) {
  const tabs = [...all].find((one) => one.name === name && one.api.isLike(api)) ?? new Tabs(api, name);
  return tabs.join(member);
}

/** The clients of a page that ask one relay as one user, and the other tabs that do. */
class Tabs {
  readonly #tab = newId();
  readonly #members = new Set<Member>();
  readonly #streams: Streams;
  readonly #channel: BroadcastChannel | undefined;
  /** Ended when the last client leaves, and when the tab stands alone. */
  readonly #sharing = new AbortController();
  readonly #watch: ReturnType<typeof setInterval> | undefined;
  /** By space, in the tab that leads. */
  #lines: Map<string, Line> | undefined;
  /** What the others want, in the tab that leads. */
  readonly #others = new Map<string, Set<string>>();
  /** It has the lock by which the others see that it lives. */
  #isHeld = false;
  /** When a sign of life came from the leader, or was given as one. */
  #heard = Date.now();
  #isStealing = false;

  constructor(
    readonly api: Api,
    readonly name: string | null,
  ) {
    all.add(this);
    this.#streams = new Streams(api);
    if (name === null) {
      this.#standAlone();
      return;
    }
    try {
      this.#channel = new BroadcastChannel(this.#lock());
    } catch {
      this.#standAlone();
      return;
    }
    this.#channel.onmessage = ({ data }: MessageEvent<TabMessage>) => this.#hear(data);
    this.#watch = setInterval(() => this.#look(), BEAT_MS);
    void this.#live();
  }

  join(member: Member) {
    this.#members.add(member);
    if (this.#lines) this.#serve(member);
    else this.#want([member]);
    return {
      wake: () => {
        if (!this.#lines) this.#look();
        for (const line of this.#lines?.values() ?? []) line.wake();
      },
      offline: () => {
        for (const line of this.#lines?.values() ?? []) line.offline();
      },
      close: () => this.#leave(member),
    };
  }

  #leave(member: Member): void {
    const { spaceId } = member;
    if (!this.#members.delete(member)) return;
    if (this.#members.size === 0) {
      all.delete(this);
      this.#stopSharing();
      this.#stopLeading();
    } else if (this.#lines) this.#tidy();
    else if (this.#of(spaceId).length === 0) this.#say({ type: "drop", tab: this.#tab, spaceId });
  }

  #of(spaceId: string): Member[] {
    return [...this.#members].filter((member) => member.spaceId === spaceId);
  }

  #isWantedElsewhere(spaceId: string): boolean {
    return [...this.#others.values()].some((spaces) => spaces.has(spaceId));
  }

  #lock(tab = ""): string {
    return `spacefeed ${FORMAT} ${this.name}${tab}`;
  }

  #stopSharing(): void {
    clearInterval(this.#watch);
    this.#sharing.abort();
    this.#channel?.close();
    this.#others.clear();
  }

  /** The browser refuses what tabs share a stream with, or it is not wanted. */
  #standAlone(): void {
    this.#stopSharing();
    this.#lead();
  }

  /** Takes the lock of this tab, and then says what it wants, and waits to lead. */
  async #live(): Promise<void> {
    const { signal } = this.#sharing;
    try {
      await navigator.locks.request(this.#lock(this.#tab), { signal }, () => {
        this.#isHeld = true;
        this.#want(this.#members);
        void this.#compete({ signal });
        return ended(signal);
      });
    } catch {
      if (!signal.aborted) this.#standAlone();
    }
  }

  /** Waits for the lock, or takes it, and leads as long as it has it. */
  async #compete(how: LockOptions): Promise<void> {
    const { signal } = this.#sharing;
    let hasLed = false;
    const lead = () => {
      if (signal.aborted) return;
      this.#lead();
      hasLed = true;
      return ended(signal);
    };
    try {
      await navigator.locks.request(this.#lock(), how, lead);
    } catch {
      if (signal.aborted) return;
      if (!hasLed) return this.#standAlone();
      // Another tab has stolen the lock, and what it has said while both led was not heard here.
      this.#stopLeading();
      this.#heard = Date.now();
      this.#want(this.#members);
      void this.#compete({ signal });
    }
  }

  #lead(): void {
    this.#isStealing = false;
    if (this.#lines) return;
    this.#lines = new Map();
    for (const member of this.#members) this.#serve(member);
    this.#say({ type: "lead" });
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
          if (this.#isWantedElsewhere(spaceId)) this.#say({ type: "news", spaceId, news });
          for (const member of this.#of(spaceId)) member.take(news);
        },
        // Also from here: a browser makes the timers of a page that nobody looks at rare.
        beat: () => Date.now() - this.#heard > BEAT_MS / 2 && this.#beat(),
      });
      this.#lines?.set(spaceId, begun);
      return;
    }
    if (line.status) tell(line.status);
    const here = this.#of(spaceId).map((member) => member.known());
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
      if (this.#of(spaceId).length > 0 || this.#isWantedElsewhere(spaceId)) continue;
      line.close();
      this.#lines?.delete(spaceId);
    }
  }

  #hear(message: TabMessage): void {
    // Two lead for a moment, when a lock is stolen: each has its own lines.
    if (this.#lines) {
      if (message.type === "want") this.#note(message.tab, message.spaces);
      else if (message.type === "drop") {
        this.#others.get(message.tab)?.delete(message.spaceId);
        this.#tidy();
      }
      return;
    }
    if (message.type === "want" || message.type === "drop") return;
    this.#heard = Date.now();
    this.#isStealing = false;
    if (message.type === "lead") this.#want(this.#members);
    else if (message.type === "news")
      for (const member of this.#of(message.spaceId)) member.take(message.news);
    else {
      this.#want([...this.#members].filter(({ spaceId }) => !Object.hasOwn(message.spaces, spaceId)));
      for (const member of this.#members)
        if (isBehind(member.known(), message.spaces[member.spaceId])) member.ask();
    }
  }

  /** What another tab wants, for as long as it lives. */
  #note(tab: string, wanted: Cursors): void {
    const spaces = this.#others.get(tab) ?? new Set();
    if (!this.#others.has(tab)) {
      const gone = () => {
        this.#others.delete(tab);
        this.#tidy();
      };
      const { signal } = this.#sharing;
      navigator.locks.request(this.#lock(tab), { signal }, gone).catch(() => {});
    }
    this.#others.set(tab, spaces);
    for (const [spaceId, cursor] of Object.entries(wanted)) {
      spaces.add(spaceId);
      this.#welcome(spaceId, cursor, (news) => this.#say({ type: "news", spaceId, news }));
    }
    this.#beat();
  }

  #want(members: Iterable<Member>): void {
    const spaces = [...members].map((member) => [member.spaceId, member.known()?.cursor ?? null]);
    if (!this.#isHeld || spaces.length === 0) return;
    this.#say({ type: "want", tab: this.#tab, spaces: Object.fromEntries(spaces) });
  }

  #beat(): void {
    this.#heard = Date.now();
    const spaces = [...(this.#lines ?? [])].map(([spaceId, line]) => [spaceId, line.known?.cursor ?? null]);
    this.#say({ type: "beat", spaces: Object.fromEntries(spaces) });
  }

  #look(): void {
    const isSilent = Date.now() - this.#heard > SILENCE_MS;
    if (this.#lines) {
      this.#beat();
    } else if (isSilent && this.#isStealing) {
      // A lock that is stolen is had at once: this one is neither given nor refused.
      this.#standAlone();
    } else if (isSilent && globalThis.document?.visibilityState !== "hidden") {
      this.#isStealing = true;
      void this.#compete({ steal: true });
    }
  }

  #say(message: TabMessage): void {
    if (this.#sharing.signal.aborted) return;
    try {
      this.#channel?.postMessage(message);
    } catch {
      this.#standAlone();
    }
  }
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}
