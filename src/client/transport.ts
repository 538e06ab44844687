import type { ErrorCode } from "../protocol/errors.js";
import {
  type ConnectionEffect,
  type ConnectionEvent,
  modeOf,
  OPENING,
  retryDelay,
  step,
} from "./connection.js";
import { type Problem, problemOf } from "./problem.js";
import type { Group, Standing, State } from "./replica.js";
import type { Mode } from "./snapshot.js";
import type { Streams } from "./streams.js";

/** What a client gets to know of its space. */
export type News =
  | { type: "group"; group: Group }
  | { type: "state"; state: State }
  /** `fault`: what is wrong, null in realtime. */
  | { type: "status"; mode: Mode; fault: Problem | null };

/** The relay lives, and holds that we are at this version; null: it does not say. */
export type Heartbeat = { type: "heartbeat"; version: number | null };

export interface Receiver {
  /** How far it is; null: nothing is known yet. */
  known(): Standing | null;
  take(news: News | Heartbeat): void;
}

const POLL_MS = 5_000;
/** A stream that says nothing for so long is dead. The relay's heartbeat comes every 2 s, or says when. */
const SILENCE_MS = 4_500;
const HEARTBEATS_MISSED = 2.25;
/** A stream that has lived for so long is no longer suspected. */
const STEADY_MS = 5_000;
const SILENT = { message: "the stream was silent" };

/** A space's connection to the relay. Carries out what the state machine in `connection.ts` decides. */
export class Transport {
  readonly #streams: Streams;
  readonly #spaceId: string;
  readonly #receiver: Receiver;
  readonly #timers = new Map<"silence" | "steady" | "retry" | "poll", ReturnType<typeof setTimeout>>();
  #state = OPENING;
  #streamFault: Problem | null = null;
  #pollFault: Problem | null = null;
  #since: string | undefined;
  #told = "";
  /** What leaves it. */
  #stream: (() => void) | undefined;
  #poll: AbortController | undefined;
  #lastBytes = 0;
  #silenceMs = SILENCE_MS;

  constructor(streams: Streams, spaceId: string, receiver: Receiver) {
    this.#streams = streams;
    this.#spaceId = spaceId;
    this.#receiver = receiver;
    this.#openStream();
  }

  /** What came did not fit: begin again from the receiver's cursor. */
  gap(): void {
    this.#on("gap");
  }

  /** The network may be back: look now. */
  wake(): void {
    const isSilent = this.#stream && Date.now() - this.#lastBytes > this.#silenceMs;
    if (isSilent) this.#lost(SILENT);
    this.#on("wake");
  }

  /** The browser says that the network is gone. */
  offline(): void {
    this.#lost({ message: "the browser is offline" });
  }

  close(): void {
    this.#on("close");
  }

  #on(event: ConnectionEvent): void {
    const [state, effects] = step(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#effects[effect]();
    this.#tell();
  }

  #tell(): void {
    const { at } = this.#state;
    if (at === "opening" || at === "closed") return; // nothing is known yet, or of interest any more
    const fault = at === "realtime" ? null : at === "polling" ? this.#streamFault : this.#pollFault;
    if (!fault) this.#since = undefined;
    const told = JSON.stringify([at, fault]);
    if (told === this.#told) return;
    this.#told = told;
    this.#receiver.take({ type: "status", mode: modeOf(this.#state), fault });
  }

  #lost({ code, message }: { code?: ErrorCode; message: string }): void {
    this.#streamFault = this.#faultOf({ code, message: `no live updates: ${message}` });
    this.#on("lost");
  }

  /** Of one outage all faults have the same beginning. */
  #faultOf(error: unknown): Problem {
    const fault = problemOf(error, this.#since);
    this.#since = fault.since;
    return fault;
  }

  readonly #effects: Record<ConnectionEffect, () => void> = {
    "open stream": () => this.#openStream(),
    "close stream": () => this.#closeStream(),
    "retry later": () =>
      this.#set("retry", retryDelay(this.#state.losses, Math.random()), () => this.#on("retry-due")),
    poll: () => void this.#pollNow(),
    "poll later": () => this.#set("poll", POLL_MS, () => this.#on("poll-due")),
    "stop polling": () => {
      this.#cancel("poll");
      this.#cancel("retry");
      this.#poll?.abort();
      this.#poll = undefined;
    },
    "steady later": () => this.#set("steady", STEADY_MS, () => this.#on("steady")),
  };

  #openStream(): void {
    this.#closeStream();
    this.#lastBytes = Date.now();
    this.#silenceMs = SILENCE_MS;
    this.#watchSilence();
    let group: Group[number][] = [];
    this.#stream = this.#streams.follow(this.#spaceId, {
      known: () => this.#receiver.known(),
      bytes: () => {
        this.#lastBytes = Date.now();
        if (this.#state.at !== "realtime") this.#on("alive");
      },
      message: (event) => {
        group.push(event);
        // Only the last of a group moves the cursor; what a stream that broke off has begun counts for nothing (P5).
        if (!event.cursor) return;
        const whole = group;
        group = [];
        this.#receiver.take({ type: "group", group: whole });
      },
      heartbeat: ({ version, everyMs }) => {
        if (everyMs) this.#silenceMs = Math.max(SILENCE_MS, everyMs * HEARTBEATS_MISSED);
        this.#receiver.take({ type: "heartbeat", version });
      },
      end: (error) => this.#lost(error as Error),
    });
  }

  #closeStream(): void {
    this.#stream?.();
    this.#stream = undefined;
    this.#cancel("silence");
    this.#cancel("steady");
  }

  #watchSilence(): void {
    const left = this.#lastBytes + this.#silenceMs - Date.now();
    if (left <= 0) this.#lost(SILENT);
    else this.#set("silence", left, () => this.#watchSilence());
  }

  async #pollNow(): Promise<void> {
    if (this.#poll) return;
    this.#cancel("poll");
    const poll = new AbortController();
    this.#poll = poll;
    try {
      const state = await this.#streams.api.state(this.#spaceId, this.#receiver.known(), poll.signal);
      if (poll.signal.aborted) return;
      this.#poll = undefined;
      if (state) this.#receiver.take({ type: "state", state });
      this.#on("polled");
    } catch (error) {
      if (poll.signal.aborted) return;
      this.#poll = undefined;
      this.#pollFault = this.#faultOf(error);
      this.#on("poll-failed");
    }
  }

  #set(name: "silence" | "steady" | "retry" | "poll", ms: number, callback: () => void): void {
    this.#cancel(name);
    this.#timers.set(name, setTimeout(callback, ms));
  }

  #cancel(name: "silence" | "steady" | "retry" | "poll"): void {
    clearTimeout(this.#timers.get(name));
  }
}
