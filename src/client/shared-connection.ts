import { stateFrom } from "./replica.js";
import type { Connection, News, Receiver } from "./transport.js";

/*
 * One stream for all tabs of a browser. A lock of the browser says which tab leads: it has the connection over the
 * network, and says what it gets to the others, which wait for the lock. A tab that is closed or crashes gives its
 * lock back, and the next one goes on from its own cursor: nothing is lost.
 *
 *      follower ── lock granted ──▶ leader
 *          ▲                          │
 *          └───── lock was stolen ────┘        any: close ──▶ closed
 *                                                   refused ──▶ alone
 *
 * A follower that hears nothing for a while (the leader is frozen) steals the lock, when its page is looked at. A tab
 * to which the browser refuses locks or channels (blocked cookies, a sandboxed frame) has a connection of its own.
 */

type TabMessage =
  /** A newcomer, or a tab that has found a gap, is at this cursor. */
  | { type: "hello"; cursor: string | null }
  /** Another tab leads from here on, and does not know who has said hello before. */
  | { type: "lead" }
  | News;

/** Raised when tabs of before would no longer understand what is said. They have a connection of their own then. */
const FORMAT = 4;
const HEARTBEAT_MS = 2_000;
const SILENCE_MS = 4_500;
const BEAT: News = { type: "heartbeat", version: null };

export class SharedConnection implements Connection {
  readonly #name: string;
  readonly #receiver: Receiver;
  readonly #connect: (receiver: Receiver) => Connection;
  readonly #channel: BroadcastChannel | undefined;
  /** Ended when the connection is closed, and when the tab stands alone. */
  readonly #sharing = new AbortController();
  readonly #watch: ReturnType<typeof setInterval> | undefined;
  #own: Connection | undefined;
  #status: News = { type: "status", mode: "cache", fault: null };
  #heard = Date.now();
  #isStealing = false;

  /** `connect` makes the connection over the network of the tab that leads. */
  constructor(name: string, receiver: Receiver, connect: (receiver: Receiver) => Connection) {
    this.#name = `spacefeed ${FORMAT} ${name}`;
    this.#receiver = receiver;
    this.#connect = connect;
    try {
      this.#channel = new BroadcastChannel(this.#name);
    } catch {
      this.#standAlone();
      return;
    }
    this.#channel.onmessage = ({ data }: MessageEvent<TabMessage>) => this.#hear(data);
    this.#watch = setInterval(() => this.#look(), HEARTBEAT_MS);
    void this.#compete({ signal: this.#sharing.signal });
    this.#hello();
  }

  get leads(): boolean {
    return this.#own !== undefined;
  }

  gap(): void {
    if (this.#own) this.#own.gap();
    else this.#hello();
  }

  wake(): void {
    if (this.#own) this.#own.wake();
    else this.#look();
  }

  offline(): void {
    this.#own?.offline();
  }

  close(): void {
    this.#stopSharing();
    this.#follow();
  }

  #stopSharing(): void {
    clearInterval(this.#watch);
    this.#sharing.abort();
    this.#channel?.close();
  }

  /** The browser refuses what tabs share a connection with. */
  #standAlone(): void {
    this.#stopSharing();
    this.#lead();
  }

  /** Waits for the lock, or takes it, and leads as long as it has it. */
  async #compete(how: LockOptions): Promise<void> {
    const { signal } = this.#sharing;
    let hasLed = false;
    const lead = () => {
      if (signal.aborted) return;
      this.#lead();
      hasLed = true;
      return new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    };
    try {
      await navigator.locks.request(this.#name, how, lead);
    } catch {
      if (signal.aborted) return;
      if (!hasLed) return this.#standAlone();
      // Another tab has stolen the lock.
      this.#follow();
      this.#heard = Date.now();
      // What the other one has said while both led was not heard here.
      this.#hello();
      void this.#compete({ signal });
    }
  }

  #lead(): void {
    this.#isStealing = false;
    if (this.#own) return;
    this.#own = this.#connect({
      known: this.#receiver.known,
      take: (news) => {
        // At which version a tab should be is for the one that has the stream.
        this.#say(news.type === "heartbeat" ? BEAT : news);
        this.#take(news);
      },
    });
    this.#say({ type: "lead" });
  }

  #follow(): void {
    this.#own?.close();
    this.#own = undefined;
  }

  #hear(message: TabMessage): void {
    this.#heard = Date.now();
    this.#isStealing = false;
    // Two lead for a moment, when a lock is stolen: each has its own connection.
    if (!this.#own) this.#take(message);
    else if (message.type === "hello") this.#welcome(message.cursor);
  }

  #take(message: TabMessage): void {
    // Also for those who ask us, should we lead next.
    if (message.type === "status") this.#status = message;
    if (message.type === "lead") this.#hello();
    else if (message.type !== "hello") this.#receiver.take(message);
  }

  #hello(): void {
    this.#say({ type: "hello", cursor: this.#receiver.known()?.cursor ?? null });
  }

  #welcome(cursor: string | null): void {
    this.#say(this.#status);
    const known = this.#receiver.known();
    if (known && known.cursor !== cursor) this.#say({ type: "state", state: stateFrom(known) });
  }

  #look(): void {
    const isSilent = Date.now() - this.#heard > SILENCE_MS;
    if (this.#own) {
      this.#say(BEAT);
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
