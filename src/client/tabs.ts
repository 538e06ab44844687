import type { SpaceState } from "../protocol/messages.js";
import type { Group } from "./replica.js";
import type { Mode } from "./snapshot.js";
import type { Line, Receiver } from "./transport.js";

/*
 * One stream for all tabs of a browser. A lock of the browser says which tab leads: it has the line over the
 * network, and says what it gets to the others, who wait for the lock. A tab that is closed or crashes gives its
 * lock back, and the next one goes on from its own cursor: nothing is lost.
 *
 *      follower ── lock granted ──▶ leader
 *          ▲                          │
 *          └───── lock was stolen ────┘        any: close ──▶ closed
 *
 * A follower that hears nothing for a while (the leader is frozen) steals the lock, when its page is looked at.
 */

type Said =
  /** A newcomer, or somebody who has found a gap, is at this cursor. */
  | { type: "hello"; cursor: string | null }
  /** Another tab leads from here on, and does not know who has said hello before. */
  | { type: "lead" }
  | { type: "group"; group: Group }
  | { type: "state"; state: SpaceState }
  | { type: "line"; mode: Mode; fault: string | null }
  | { type: "beat" };

/** Knows, beside what a receiver does, the whole state: for the tabs that come later. */
export interface TabReceiver extends Receiver {
  whole(): SpaceState | null;
}

const BEAT_MS = 2_000;
const SILENCE_MS = 4_500;

/** Whether there are tabs here that can share a line. It takes a secure context: https, or localhost. */
export function canShare(): boolean {
  const { document, navigator } = globalThis;
  return document !== undefined && navigator?.locks !== undefined && typeof BroadcastChannel === "function";
}

export class SharedLine implements Line {
  readonly #name: string;
  readonly #receiver: TabReceiver;
  readonly #connect: (receiver: Receiver) => Line;
  readonly #channel: BroadcastChannel;
  readonly #closing = new AbortController();
  #own: Line | undefined;
  #line: { mode: Mode; fault: string | null } = { mode: "cache", fault: null };
  #heard = Date.now();
  #watch: ReturnType<typeof setInterval> | undefined;

  /** `connect` makes the line over the network of the tab that leads. */
  constructor(name: string, receiver: TabReceiver, connect: (receiver: Receiver) => Line) {
    this.#name = `spacefeed ${name}`;
    this.#receiver = receiver;
    this.#connect = connect;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }: MessageEvent<Said>) => this.#hear(data);
  }

  get leads(): boolean {
    return this.#own !== undefined;
  }

  start(): void {
    if (this.#watch) return;
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
    clearInterval(this.#watch);
    this.#closing.abort();
    this.#own?.close();
    this.#own = undefined;
    this.#channel.close();
  }

  /** Waits for the lock, or takes it, and leads as long as it has it. */
  async #compete(how: { steal?: boolean }): Promise<void> {
    const options = how.steal ? { steal: true } : { signal: this.#closing.signal };
    const lead = () => {
      if (this.#closing.signal.aborted) return;
      this.#lead();
      return new Promise<void>((resolve) => this.#closing.signal.addEventListener("abort", () => resolve()));
    };
    try {
      await navigator.locks.request(this.#name, options, lead);
    } catch {
      // Closed while waiting, or another tab has stolen the lock.
      if (this.#closing.signal.aborted) return;
      this.#own?.close();
      this.#own = undefined;
      this.#heard = Date.now();
      // What the other one has said while both led was not heard here.
      this.#say({ type: "hello", cursor: this.#receiver.cursor() });
      void this.#compete({});
    }
  }

  #lead(): void {
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

  #setLine(mode: Mode, fault: string | null): void {
    this.#line = { mode, fault };
    this.#say({ type: "line", mode, fault });
    this.#receiver.line(mode, fault);
  }

  #hear(said: Said): void {
    this.#heard = Date.now();
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
    if (this.#own) {
      this.#say({ type: "beat" });
    } else if (Date.now() - this.#heard > SILENCE_MS && globalThis.document?.visibilityState !== "hidden") {
      this.#heard = Date.now();
      void this.#compete({ steal: true });
    }
  }

  #say(said: Said): void {
    if (!this.#closing.signal.aborted) this.#channel.postMessage(said);
  }
}
