import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { RETRY_MS } from "../loader.js";
import type { Metrics } from "../metrics.js";
import type { Database } from "./functions.js";
import { IDLE, type RecordingEffect, type RecordingEvent, type RecordingState, step } from "./recording.js";
import { SetApart } from "./set-apart.js";

export interface RecorderOptions {
  /** One connection, straight to Postgres: its session has the lock, and each recording builds on the one before. */
  database: Database;
  metrics: Metrics;
  log: Logger;
  /** Any space may have been raised without a notification. */
  onOverlooked(): void;
  /** So many notifications within so many milliseconds are too many: 100 a second. */
  busy?: { notifications: number; withinMs: number };
  /** Recordings that find nothing for so long are not worth it. Many times longer than `busy`, or it would flap. */
  quietMs?: number;
  /** Between two signs of life. Commits take it that a relay records for 2 s after one, and that it listens for a minute. */
  lifeMs?: { awake: number; other: number };
}

/** How the database of a recorder connects: a full pool does not hold it up. */
export const RECORDER_CONNECTION = {
  application_name: "spacefeed recorder",
  max: 1,
  idleTimeoutMillis: 0,
  query_timeout: 11_000,
  statement_timeout: 10_000,
};
const ASK_MS = 500;
const FAREWELL_MS = 1_000;
/**
 * Between two recordings, each of which costs an fsync that writers' own have to wait for: short where many share it,
 * long where a lone writer would feel it.
 */
const PAUSE_MS = { busy: 2, idle: 20, most: 50 };
/** Notes a second, from which on many writers share it. */
const MANY_NOTES = 500;
const MOST_NOTES = 2_000;

/** Records for everybody, or sees to it that each commit does: carries out what the state machine in recording.ts says. */
export class Recorder {
  readonly apart = new SetApart();
  readonly #options: Required<RecorderOptions>;
  #state: RecordingState = IDLE;
  /** Ends when every query that was asked for so far has ended. */
  #last: Promise<void> = Promise.resolve();
  /** The snapshot of the last recording: what it does not show is still to be recorded. */
  #seen: string | undefined;
  /** Everything below has to end before each commit records itself. */
  #drawn: bigint | undefined;
  /** Commits need not have notified. */
  #isOverlooked = true;
  #foundAt = 0;
  #recordedAt = 0;
  #pause = 0;
  #maxNotes = MOST_NOTES;
  #heard = { count: 0, since: 0 };
  #connections = 0;
  #tries = 0;
  #willRecord = false;
  #isAway = false;
  readonly #timers = new Map<RecordingEvent, NodeJS.Timeout>();

  constructor(options: RecorderOptions) {
    this.#options = {
      busy: { notifications: 50, withinMs: 500 },
      quietMs: 1_000,
      lifeMs: { awake: 500, other: 10_000 },
      ...options,
    };
    options.database.pool.on("connect", () => this.#connections++);
  }

  get at(): RecordingState["at"] {
    return this.#state.at;
  }

  /** Begins, with LISTEN standing. Resolves when commits notify, or the database is away. */
  async start(): Promise<void> {
    this.#take("start");
    while (this.#state.at === "asking" || (this.#state.at === "settling" && this.#drawn === undefined)) {
      await this.#last;
    }
    this.#live();
  }

  /** A notification has come. */
  heard(): void {
    const { notifications, withinMs } = this.#options.busy;
    const now = performance.now();
    if (now - this.#heard.since > withinMs) this.#heard = { count: 0, since: now };
    if (++this.#heard.count < notifications) return;
    this.#heard = { count: 0, since: now };
    this.#take("busy");
  }

  /** A commit may have left notes to the relays. */
  left(): void {
    this.#take("left");
  }

  /** Lets commits record themselves, if it was for everybody, and ends the connection. */
  async close(): Promise<void> {
    const { database } = this.#options;
    const wasAwake = this.#state.at === "awake" || this.#state.at === "waking";
    this.#take("close");
    const farewell = this.#last.then(() => (wasAwake ? this.#settle() : undefined)).catch(() => {});
    await Promise.race([farewell, sleep(FAREWELL_MS, undefined, { ref: false })]);
    await database.close();
  }

  /** The last recording of a relay that was awake. What is still open then is left to the next one. */
  async #settle(): Promise<void> {
    const { database } = this.#options;
    await database.relaySeen(false);
    await database.record(undefined, [], MOST_NOTES);
  }

  #take(event: RecordingEvent): void {
    const { metrics, log } = this.#options;
    const from = this.#state.at;
    const [state, effects] = step(this.#state, event);
    this.#state = state;
    if (state.at !== from) {
      log.debug({ from, to: state.at }, "sleep and wake");
      metrics.sleepChanges.inc();
      metrics.awake.set(state.at === "awake" ? 1 : 0);
      if (state.at === "awake") this.#foundAt = performance.now();
      if (state.at === "awake" || from === "awake") this.#live();
      if (state.at === "away") this.#tries++;
    }
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: RecordingEffect): void {
    switch (effect) {
      case "record later":
        this.#after(this.#pause, "record-due");
        return;
      case "ask later":
        this.#after(ASK_MS, "ask-due");
        return;
      case "retry later":
        this.#after(RETRY_MS, "retry-due");
        return;
      case "stop":
        for (const timer of this.#timers.values()) clearTimeout(timer);
        return;
      default: {
        if (effect === "record") {
          clearTimeout(this.#timers.get("record-due")); // left from a state that is over
          if (this.#willRecord) return; // one that is still to begin does for all
          this.#willRecord = true;
        }
        // What was asked for before a failure is over with it.
        const tries = this.#tries;
        this.#last = this.#last.then(() => {
          if (tries === this.#tries) return this.#do(effect);
          if (effect === "record") this.#willRecord = false;
        });
      }
    }
  }

  /** One timer for each event; the newest holds. */
  #after(ms: number, event: RecordingEvent): void {
    clearTimeout(this.#timers.get(event));
    this.#timers.set(
      event,
      setTimeout(() => this.#take(event), ms),
    );
  }

  /** The next sign of life. */
  #live(): void {
    if (this.#state.at !== "closed") {
      const { awake, other } = this.#options.lifeMs;
      this.#after(this.#state.at === "awake" ? awake : other, "life-due");
    }
  }

  async #do(effect: RecordingEffect): Promise<void> {
    if (effect === "record") this.#willRecord = false;
    if (effect === "forget") {
      this.#seen = undefined;
      this.#drawn = undefined;
      return;
    }
    const connections = this.#connections;
    const mayConnect = !["settling", "waking", "awake"].includes(this.#state.at); // there the session has the lock
    try {
      const event = await this.#query(effect);
      // Its locks, xids and snapshots are of a session that has ended, on a server that may be another now.
      if (this.#connections !== connections && !mayConnect) throw new Error("the connection was lost");
      this.#isAway = false;
      if (event) this.#take(event);
    } catch (error) {
      const { at } = this.#state;
      this.#take("failed");
      if (at === "closed" || this.#isAway) return;
      this.#isAway = true;
      this.#options.log.warn(
        { err: error, at },
        "the relay cannot look after what is recorded; trying again",
      );
    }
  }

  async #query(effect: RecordingEffect): Promise<RecordingEvent | undefined> {
    const { database } = this.#options;
    switch (effect) {
      case "ask":
        return (await database.lead(true)) ? "locked" : "refused";
      case "free":
        await database.lead(false);
        return undefined;
      case "draw":
        this.#drawn = await database.drawXid();
        this.#foundAt = performance.now();
        return "drawn";
      case "record":
        return this.#record();
      default:
        return this.#say(effect);
    }
  }

  async #say(effect: RecordingEffect): Promise<RecordingEvent> {
    const { database } = this.#options;
    const wasHeard = await database.relaySeen(effect === "say here" ? null : effect === "say awake");
    if (effect === "say awake") this.#drawn = undefined;
    this.#live();
    if (wasHeard) return "said";
    this.#isOverlooked = true;
    return "overlooked";
  }

  async #record(): Promise<RecordingEvent> {
    const { database, metrics, log, quietMs, onOverlooked } = this.#options;
    const start = performance.now();
    const { apart } = this;
    // Where others were at a space, or it did not work, it is looked for again from the start.
    const seen = apart.isDue(start) ? undefined : this.#seen;
    const recorded = await database
      .record(seen, apart.spaces(seen === undefined ? start : undefined), this.#maxNotes)
      .catch((error) => {
        this.#maxNotes = Math.max(1, this.#maxNotes >> 1); // it may have been too much
        throw error;
      });
    const now = performance.now();
    metrics.recordings.inc();
    metrics.recordedNotes.inc(recorded.filed);
    this.#maxNotes = Math.min(MOST_NOTES, this.#maxNotes * 2);
    this.#seen = recorded.seen ?? undefined;
    apart.note(recorded, seen === undefined, now);
    if (recorded.failed.length > 0) {
      log.error(
        { spaceIds: recorded.failed, reason: recorded.reason },
        "what was written in these spaces cannot be recorded",
      );
    }
    if (this.#isOverlooked) onOverlooked();

    if (recorded.filed > 0) this.#foundAt = now;
    const isQuiet = now - this.#foundAt >= quietMs;
    const isMany = recorded.filed * 1_000 >= MANY_NOTES * (now - this.#recordedAt);
    this.#recordedAt = now;
    const busy = isMany ? PAUSE_MS.busy : PAUSE_MS.idle;
    if (recorded.isMore) this.#pause = 0;
    else if (isQuiet) this.#pause = PAUSE_MS.most;
    else this.#pause = Math.min(Math.max(busy, (now - start) / 2), PAUSE_MS.most);
    if (recorded.isMore) return "unfinished";
    if (this.#drawn !== undefined && recorded.oldestOpen > this.#drawn) {
      this.#isOverlooked = false;
      return "passed";
    }
    if (apart.isWaiting) return "unfinished";
    return isQuiet ? "quiet" : "recorded";
  }
}
