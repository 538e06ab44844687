import type { SpaceState } from "../protocol/messages.js";
import type { Group } from "./replica.js";
import type { Mode } from "./snapshot.js";
import type { Line, Receiver } from "./transport.js";
import type { Trouble } from "./trouble.js";

/*
 * One stream for all tabs of a browser. A lock of the browser says which tab leads: it has the line over the
 * network, and says what it gets to the others, who wait for the lock. A tab that is closed or crashes gives its
 * lock back, and the next one goes on from its own cursor: nothing is lost.
 *
 *      follower ── lock granted ──▶ leader
 *          ▲                          │
 *          └───── lock was stolen ────┘        any: close ──▶ closed
 *                                                   refused ──▶ alone
 *
 * A follower that hears nothing for a while (the leader is frozen) steals the lock, when its page is looked at. A tab
 * to which the browser refuses locks or channels (blocked cookies, a sandboxed frame) has a line of its own.
 */

type Said =
  /** A newcomer, or somebody who has found a gap, is at this cursor. */
  | { type: "hello"; cursor: string | null }
  /** Another tab leads from here on, and does not know who has said hello before. */
  | { type: "lead" }
  | { type: "group"; group: Group }
  | { type: "state"; state: SpaceState }
  | { type: "line"; mode: Mode; fault: Trouble | null }
  | { type: "beat" };

/** Knows, beside what a receiver does, the whole state: for the tabs that come later. */
export interface TabReceiver extends Receiver {
  whole(): SpaceState | null;
}

/** Raised when tabs of before would no longer understand what is said. They have a line of their own then. */
const FORMAT = 2;
const BEAT_MS = 2_000;
const SILENCE_MS = 4_500;

export class SharedLine implements Line {
  readonly #name: string;
  readonly #receiver: TabReceiver;
  readonly #connect: (receiver: Receiver) => Line;
  readonly #channel: BroadcastChannel | undefined;
  /** Ended when the line is closed, and when the tab stands alone. */
  readonly #sharing = new AbortController();
  #own: Line | undefined;
  #line: { mode: Mode; fault: Trouble | null } = { mode: "cache", fault: null };
  #heard = Date.now();
  #isStealing = false;
  #watch: ReturnType<typeof setInterval> | undefined;

  /** `connect` makes the line over the network of the tab that leads. */
  constructor(name: string, receiver: TabReceiver, connect: (receiver: Receiver) => Line) {
    this.#name = `spacefeed ${FORMAT} ${name}`;
    this.#receiver = receiver;
    this.#connect = connect;
    try {
      this.#channel = new BroadcastChannel(this.#name);
      this.#channel.onmessage = ({ data }: MessageEvent<Said>) => this.#hear(data);
    } catch {
      this.#sharing.abort();
    }
  }

  get leads(): boolean {
    return this.#own !== undefined;
  }

  start(): void {
    if (this.#watch) return;
    if (this.#sharing.signal.aborted) {
      this.#lead();
      return;
    }
    void this.#compete({});
    this.#say({ type: "hello", cursor: this.#receiver.cursor() });
    this.#heard = Date.now();
    this.#watch = setInterval(() => this.#look(), BEAT_MS);
  }

  gap(): void {
    if (this.#own) this.#own.gap();
    else this.#say({ type: "hello", cursor: this.#receiver.cursor() });
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
    this.#own?.close();
    this.#own = undefined;
  }

  #stopSharing(): void {
    clearInterval(this.#watch);
    this.#sharing.abort();
    this.#channel?.close();
  }

  /** The browser refuses what tabs share a line with. */
  #standAlone(): void {
    this.#stopSharing();
    this.#lead();
  }

  /** Waits for the lock, or takes it, and leads as long as it has it. */
  async #compete(how: { steal?: boolean }): Promise<void> {
    const { signal } = this.#sharing;
    let hasLed = false;
    const lead = () => {
      if (signal.aborted) return;
      this.#lead();
      hasLed = true;
      return new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    };
    try {
      await navigator.locks.request(this.#name, how.steal ? { steal: true } : { signal }, lead);
    } catch {
      if (signal.aborted) return;
      if (!hasLed) return this.#standAlone();
      // Another tab has stolen the lock.
      this.#own?.close();
      this.#own = undefined;
      this.#heard = Date.now();
      // What the other one has said while both led was not heard here.
      this.#say({ type: "hello", cursor: this.#receiver.cursor() });
      void this.#compete({});
    }
  }

  #lead(): void {
    this.#isStealing = false;
    if (this.#own) return;
    this.#own = this.#connect({
      cursor: () => this.#receiver.cursor(),
      held: () => this.#receiver.held(),
      beat: (version) => {
        this.#say({ type: "beat" });
        this.#receiver.beat(version);
      },
      group: (group) => {
        this.#say({ type: "group", group });
        this.#receiver.group(group);
      },
      state: (state) => {
        this.#say({ type: "state", state });
        this.#receiver.state(state);
      },
      line: (mode, fault) => this.#setLine(mode, fault),
    });
    this.#say({ type: "lead" });
    this.#own.start();
  }

  #setLine(mode: Mode, fault: Trouble | null): void {
    this.#line = { mode, fault };
    this.#say({ type: "line", mode, fault });
    this.#receiver.line(mode, fault);
  }

  #hear(said: Said): void {
    this.#heard = Date.now();
    this.#isStealing = false;
    if (said.type === "hello") {
      if (this.#own) this.#welcome(said.cursor);
      return;
    }
    // Two lead for a moment, when a lock is stolen: each has its own line.
    if (this.#own) return;
    if (said.type === "lead") this.#say({ type: "hello", cursor: this.#receiver.cursor() });
    else if (said.type === "group") this.#receiver.group(said.group);
    else if (said.type === "state") this.#receiver.state(said.state);
    else if (said.type === "line") {
      // Also for those who ask us, should we lead next.
      this.#line = { mode: said.mode, fault: said.fault };
      this.#receiver.line(said.mode, said.fault);
    }
  }

  #welcome(cursor: string | null): void {
    this.#say({ type: "line", ...this.#line });
    const state = this.#receiver.whole();
    if (state && state.cursor !== cursor) this.#say({ type: "state", state });
  }

  #look(): void {
    const isSilent = Date.now() - this.#heard > SILENCE_MS;
    if (this.#own) {
      this.#say({ type: "beat" });
    } else if (isSilent && this.#isStealing) {
      // A lock that is stolen is had at once: this one is neither given nor refused.
      this.#standAlone();
    } else if (isSilent && globalThis.document?.visibilityState !== "hidden") {
      this.#isStealing = true;
      void this.#compete({ steal: true });
    }
  }

  #say(said: Said): void {
    if (this.#sharing.signal.aborted) return;
    try {
      this.#channel?.postMessage(said);
    } catch {
      this.#standAlone();
    }
  }
}
