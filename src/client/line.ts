import { isBehind, isKnown, judge, type Replica, type Standing } from "./replica.js";
import type { Streams } from "./streams.js";
import { type Heartbeat, type News, Transport } from "./transport.js";

/** A client that follows a space. */
export interface Member {
  readonly spaceId: string;
  /** Where it stands; null: nothing is known yet. */
  known(): Replica | null;
  take(news: News): void;
  /** It has missed something: it asks the relay for the state by itself. */
  ask(): void;
}

export interface LineOptions {
  /** The clients here. */
  members(): Iterable<Member>;
  /** What all who want the space are to have. */
  give(news: News): void;
  /** The relay lives. */
  beat(): void;
}

/** A space as the tab that leads follows it, for the clients here and in other tabs. */
export class Line {
  /** What was said last of the connection. */
  status: News | undefined;
  #standing: Standing | null;
  readonly #options: LineOptions;
  readonly #transport: Transport;

  constructor(streams: Streams, spaceId: string, standing: Standing | null, options: LineOptions) {
    this.#standing = standing;
    this.#options = options;
    this.#transport = new Transport(streams, spaceId, {
      known: () => this.known,
      take: (news) => this.#take(news),
    });
  }

  /** How far it is: by a client here where that is as far, since it has the rows. */
  get known(): Standing | null {
    const at = this.#standing;
    const here = [...this.#options.members()].map((member) => member.known());
    return here.find((known) => known && (!at || isKnown(known, at))) ?? at;
  }

  wake = () => this.#transport.wake();
  offline = () => this.#transport.offline();
  close = () => this.#transport.close();

  /** A client here may lack what it was not there for. */
  catchUp(): void {
    const at = this.#standing?.cursor;
    for (const member of this.#options.members()) if (isBehind(member.known(), at)) member.ask();
  }

  #take(news: News | Heartbeat): void {
    const { known } = this;
    if (news.type === "heartbeat") {
      this.#options.beat();
      if (known && (news.version ?? 0) > known.version) this.#transport.gap();
      else this.catchUp();
      return;
    }
    if (news.type === "group" && judge(known, news.group) === "gap") {
      this.#transport.gap();
      return;
    }
    if (news.type === "status") this.status = news;
    else {
      const { version, cursor } = news.type === "state" ? news.state : (news.group.at(-1) as Standing);
      if (!isKnown(this.#standing, { version, cursor })) this.#standing = { version, cursor };
    }
    this.#options.give(news);
  }
}
