import { EventSource } from "eventsource";
import type { ErrorCode, SpacefeedError } from "../protocol/errors.js";
import type { SpaceState, SyncEvent } from "../protocol/messages.js";
import { type Api, refusalOf } from "./api.js";
import { IDLE, type LineEffect, type LineEvent, modeOf, retryDelay, step } from "./line.js";
import type { Group } from "./replica.js";
import type { Mode } from "./snapshot.js";
import { type Trouble, troubleOf } from "./trouble.js";

/** Who gets what comes over a line, and knows where it stands. */
export interface Receiver {
  /** The cursor to go on from; null for none. */
  cursor(): string | null;
  /** Messages that are held: a polled state must not have fewer. */
  held(): number;
  group(group: Group): void;
  state(state: SpaceState): void;
  /** The relay lives, and holds that we are at this version; null: it does not say. */
  beat(version: number | null): void;
  /** `fault`: what is wrong, null in realtime. */
  line(mode: Mode, fault: Trouble | null): void;
}

/** What brings a space's changes: over the network, or through another tab. */
export interface Line {
  /** This is the tab that has the line over the network. */
  readonly leads: boolean;
  start(): void;
  /** What came did not fit: begin again from the receiver's cursor. */
  gap(): void;
  /** The network may be back: look now. */
  wake(): void;
  /** The browser says that the network is gone. */
  offline(): void;
  close(): void;
}

const POLL_MS = 5_000;
/** A stream that says nothing for so long is dead. The relay's heartbeat comes every 2 s, or says when. */
const SILENCE_MS = 4_500;
const BEATS_MISSED = 2.25;
/** A stream that has lived for so long is no longer suspected. */
const STEADY_MS = 5_000;

/** A line over the network. Carries out what the state machine in `line.ts` decides. */
export class Transport implements Line {
  readonly leads = true;
  readonly #api: Api;
  readonly #spaceId: string;
  readonly #receiver: Receiver;
  #state = IDLE;
  #streamFault: Trouble | null = null;
  #pollFault: Trouble | null = null;
  #since: string | undefined;
  #said = "";
  #source: EventSource | undefined;
  #abort: AbortController | undefined;
  #poll: AbortController | undefined;
  #lastBytes = 0;
  #silenceMs = SILENCE_MS;
  readonly #timers = new Map<"silence" | "steady" | "retry" | "poll", ReturnType<typeof setTimeout>>();

  constructor(api: Api, spaceId: string, receiver: Receiver) {
    this.#api = api;
    this.#spaceId = spaceId;
    this.#receiver = receiver;
  }

  start(): void {
    this.#on("start");
  }

  gap(): void {
    this.#on("gap");
  }

  wake(): void {
    const isSilent = this.#source && Date.now() - this.#lastBytes > this.#silenceMs;
    if (isSilent) this.#lost("the stream was silent");
    this.#on("wake");
  }

  offline(): void {
    this.#lost("the browser is offline");
  }

  close(): void {
    this.#on("close");
  }

  #on(event: LineEvent): void {
    const [state, effects] = step(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#effects[effect]();
    this.#tell();
  }

  #tell(): void {
    const { at } = this.#state;
    if (at === "idle" || at === "opening" || at === "closed") return; // nothing is known yet, or of interest any more
    const fault = at === "realtime" ? null : at === "polling" ? this.#streamFault : this.#pollFault;
    if (!fault) this.#since = undefined;
    const said = JSON.stringify([at, fault]);
    if (said === this.#said) return;
    this.#said = said;
    this.#receiver.line(modeOf(this.#state), fault);
  }

  #lost(message: string, code?: ErrorCode): void {
    this.#streamFault = this.#fault({ code, message: `no live updates: ${message}` });
    this.#on("lost");
  }

  /** Of one outage all faults have the same beginning. */
  #fault(error: unknown): Trouble {
    const trouble = troubleOf(error, this.#since);
    this.#since = trouble.since;
    return trouble;
  }

  readonly #effects: Record<LineEffect, () => void> = {
    "open stream": () => this.#openStream(),
    "close stream": () => this.#closeStream(),
    "retry later": () => this.#later("retry", retryDelay(this.#state.losses, Math.random()), "retry-due"),
    poll: () => void this.#pollNow(),
    "poll later": () => this.#later("poll", POLL_MS, "poll-due"),
    "stop polling": () => {
      this.#cancel("poll");
      this.#cancel("retry");
      this.#poll?.abort();
      this.#poll = undefined;
    },
    "steady later": () => this.#later("steady", STEADY_MS, "steady"),
    stop: () => {
      for (const timer of this.#timers.values()) clearTimeout(timer);
      this.#timers.clear();
    },
  };

  #openStream(): void {
    this.#closeStream();
    const cursor = this.#receiver.cursor();
    const url = this.#api.address("/api/stream", { spaceId: this.#spaceId, since: cursor ?? undefined });
    let refusal: SpacefeedError | undefined;
    let group: SyncEvent[] = [];
    // The library leaves an answer open that is no stream.
    const abort = new AbortController();
    const source = new EventSource(url, {
      fetch: async (address, init) => {
        const response = await this.#api.fetch(address, { ...(init as RequestInit), signal: abort.signal });
        if (!response.ok) refusal = await refusalOf(response);
        return watched(response, () => this.#source === source && this.#bytes());
      },
    });
    this.#source = source;
    this.#abort = abort;
    this.#lastBytes = Date.now();
    this.#silenceMs = SILENCE_MS;
    this.#watchSilence();
    source.addEventListener("message", ({ data }) => {
      if (this.#source !== source) return;
      const event = this.#parse<SyncEvent>(data);
      if (!event) return;
      group.push(event);
      // Only the last of a group moves the cursor; what a stream that broke off has begun counts for nothing (P5).
      if (!event.cursor) return;
      const whole = group;
      group = [];
      this.#receiver.group(whole);
    });
    source.addEventListener("heartbeat", ({ data }) => {
      if (this.#source !== source) return;
      const beat = this.#parse<{ version: number | null; everyMs?: number }>(data);
      if (!beat) return;
      if (beat.everyMs) this.#silenceMs = Math.max(SILENCE_MS, beat.everyMs * BEATS_MISSED);
      this.#receiver.beat(beat.version);
    });
    source.addEventListener("error", (error) => {
      // The library plans its own attempt after this event: closing a moment later takes that back.
      queueMicrotask(() => source.close());
      if (this.#source === source)
        this.#lost((refusal ?? error).message ?? "the stream has ended", refusal?.code);
    });
  }

  #parse<T extends object>(json: string): T | null {
    try {
      return JSON.parse(json) as T;
    } catch {
      this.#lost("the stream has something that is not JSON");
      return null;
    }
  }

  #closeStream(): void {
    this.#source?.close();
    this.#source = undefined;
    this.#abort?.abort();
    this.#cancel("silence");
    this.#cancel("steady");
  }

  #bytes(): void {
    this.#lastBytes = Date.now();
    if (this.#state.at !== "realtime") this.#on("alive");
  }

  #watchSilence(): void {
    const left = this.#lastBytes + this.#silenceMs - Date.now();
    if (left <= 0) this.#lost("the stream was silent");
    else this.#set("silence", left, () => this.#watchSilence());
  }

  async #pollNow(): Promise<void> {
    if (this.#poll) return;
    this.#cancel("poll");
    const poll = new AbortController();
    this.#poll = poll;
    try {
      const state = await this.#api.state(
        this.#spaceId,
        this.#receiver.held(),
        this.#receiver.cursor(),
        poll.signal,
      );
      if (this.#poll !== poll) return;
      this.#poll = undefined;
      if (state) this.#receiver.state(state);
      this.#on("polled");
    } catch (error) {
      if (this.#poll !== poll) return;
      this.#poll = undefined;
      this.#pollFault = this.#fault(error);
      this.#on("poll-failed");
    }
  }

  #later(name: "retry" | "poll" | "steady", ms: number, event: LineEvent): void {
    this.#set(name, ms, () => this.#on(event));
  }

  #set(name: "silence" | "steady" | "retry" | "poll", ms: number, callback: () => void): void {
    this.#cancel(name);
    this.#timers.set(name, setTimeout(callback, ms));
  }

  #cancel(name: "silence" | "steady" | "retry" | "poll"): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

/** A response of which each piece is noticed: a long one that is still coming is not silent. */
function watched(response: Response, onBytes: () => void) {
  const { url, status, redirected, headers } = response;
  const pieces = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(piece, controller) {
      onBytes();
      controller.enqueue(piece);
    },
  });
  return { url, status, redirected, headers, body: response.body?.pipeThrough(pieces) ?? null };
}
