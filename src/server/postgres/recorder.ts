import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { RETRY_MS } from "../loader.js";
import type { Metrics } from "../metrics.js";
import { traced } from "../tracing.js";
import type { Database } from "./functions.js";
import { Pace } from "./pace.js";
import { Quarantine } from "./quarantine.js";
import { type RecordingEffect, type RecordingEvent, type RecordingState, step } from "./recording.js";

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

const ASK_MS = 500;
const FAREWELL_MS = 1_000;
/** Whether it records for everybody; null says nothing of it. */
const SAID = { "say awake": true, "say asleep": false, "say here": null };

/** Records for everybody, or sees to it that each commit does: carries out what the state machine in recording.ts says. */
export class Recorder {
  readonly quarantine = new Quarantine();
  readonly #options: Required<RecorderOptions>;
  readonly #pace: Pace;
  #state: RecordingState = "idle";
  /** What is still to be done, in this order. */
  readonly #queue: RecordingEffect[] = [];
  #isRunning = false;
  /** Ends when nothing is left to be done. */
  #run = Promise.resolve();
  readonly #timers = new Map<RecordingEvent, NodeJS.Timeout>();
  /** The snapshot of the last recording: what it does not show is still to be recorded. */
  #seen: string | undefined;
  /** Everything below has to end before each commit records itself. */
  #drawn: bigint | undefined;
  /** Commits need not have notified. */
  #isOverlooked = true;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #heard = { count: 0, since: 0 };
  #connections = 0;
  /** The log has been told that it does not work. */
  #isTold = false;

  constructor(options: RecorderOptions) {
    this.#options = {
      busy: { notifications: 50, withinMs: 500 },
      quietMs: 1_000,
      lifeMs: { awake: 500, other: 10_000 },
      ...options,
    };
    this.#pace = new Pace(this.#options.quietMs);
    options.database.pool.on("connect", () => this.#connections++);
  }

  get at(): RecordingState {
    return this.#state;
  }

  /** Begins, with LISTEN standing. Resolves when commits notify, or the database is away. */
  async start(): Promise<void> {
    this.#take("start");
    while (this.#state === "asking" || (this.#state === "settling" && this.#drawn === undefined))
      await sleep(1);
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
    const wasAwake = this.#state === "awake" || this.#state === "waking";
    this.#take("close");
    const farewell = this.#run.then(() => (wasAwake ? this.#settle() : undefined)).catch(() => {});
    await Promise.race([farewell, sleep(FAREWELL_MS, undefined, { ref: false })]);
    await this.#options.database.close();
  }

  /** The last recording of a relay that was awake. What is still open then is left to the next one. */
  async #settle(): Promise<void> {
    const { database } = this.#options;
    await database.relaySeen(false);
    await database.record(undefined, [], this.#pace.maxNotes);
  }

  #take(event: RecordingEvent): void {
    const { metrics, log } = this.#options;
    const from = this.#state;
    const [to, ...effects] = step(from, event);
    this.#state = to;
    if (to !== from) {
      log.debug({ from, to }, "who records has changed");
      metrics.sleepChanges.inc();
      metrics.awake.set(to === "awake" ? 1 : 0);
      if (to === "awake") this.#pace.begin();
      if (to === "away") this.#queue.length = 0; // what was asked for before a failure is over with it
    }
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: RecordingEffect): void {
    if (effect === "record later") this.#after(this.#pace.pause, "record-due");
    else if (effect === "ask later") this.#after(ASK_MS, "ask-due");
    else if (effect === "retry later") this.#after(RETRY_MS, "retry-due");
    else if (effect === "stop") for (const timer of this.#timers.values()) clearTimeout(timer);
    else if (effect === "forget") this.#seen = this.#drawn = undefined;
    else this.#enqueue(effect);
  }

  #enqueue(effect: RecordingEffect): void {
    if (effect === "record") {
      clearTimeout(this.#timers.get("record-due")); // left from a state that is over
      if (this.#queue.includes("record")) return; // one that is still to begin does for all
    }
    this.#queue.push(effect);
    if (!this.#isRunning) this.#run = this.#doAll();
  }

  /** One timer for each event; the newest holds. */
  #after(ms: number, event: RecordingEvent): void {
    if (this.#state === "closed") return;
    clearTimeout(this.#timers.get(event));
    this.#timers.set(
      event,
      setTimeout(() => this.#take(event), ms),
    );
  }

  async #doAll(): Promise<void> {
    this.#isRunning = true;
    for (let effect = this.#queue.shift(); effect; effect = this.#queue.shift()) await this.#do(effect);
    this.#isRunning = false;
  }

  async #do(effect: RecordingEffect): Promise<void> {
    const connections = this.#connections;
    const hasLock = ["settling", "waking", "awake"].includes(this.#state);
    try {
      const event = await this.#query(effect);
      // Its locks, xids and snapshots are of a session that has ended, on a server that may be another now.
      if (hasLock && this.#connections !== connections) throw new Error("the connection was lost");
      this.#isTold = false;
      if (event) this.#take(event);
    } catch (error) {
      const at = this.#state;
      if (effect === "record") this.#pace.failed();
      this.#take("failed");
      if (at === "closed" || this.#isTold) return;
      this.#isTold = true;
      this.#options.log.warn({ err: error, at }, "recording does not work: the relay tries again by itself");
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
        this.#pace.begin();
        return "drawn";
      case "say awake":
      case "say asleep":
      case "say here":
        return this.#say(effect);
      default:
        return this.#record();
    }
  }

  async #say(effect: keyof typeof SAID): Promise<RecordingEvent> {
    const { database, lifeMs } = this.#options;
    const wasHeard = await database.relaySeen(SAID[effect]);
    if (effect === "say awake") this.#drawn = undefined;
    this.#after(effect === "say awake" ? lifeMs.awake : lifeMs.other, "life-due");
    if (wasHeard) return "said";
    this.#isOverlooked = true;
    return "overlooked";
  }

  async #record(): Promise<RecordingEvent> {
    const { quarantine } = this;
    const { database, metrics, log, onOverlooked } = this.#options;
    const start = performance.now();
    // Where others were at a space, or it did not work, it is looked for again from the start.
    const seen = quarantine.isDue(start) ? undefined : this.#seen;
    const apart = quarantine.notYet(start);
    const recorded = await traced("recording", {}, async (span) => {
      const done = await database.record(seen, apart, this.#pace.maxNotes);
      span.setAttribute("spacefeed.notes", done.filed);
      return done;
    });
    this.#pace.recorded(recorded, start);
    metrics.recordings.inc();
    metrics.recordedNotes.inc(recorded.filed);
    this.#seen = recorded.nowSeen ?? undefined;
    quarantine.note(recorded, seen === undefined ? start : undefined);
    if (recorded.failed.length > 0) {
      const { failed: spaceIds, reason } = recorded;
      log.error({ spaceIds, reason }, "what was written in these spaces cannot be recorded: see `reason`");
    }
    const oldestOpen = BigInt(recorded.nowSeen?.split(":")[0] ?? 0);
    const isPassed = !recorded.isMore && this.#drawn !== undefined && oldestOpen > this.#drawn;
    if (this.#isOverlooked && (isPassed || start - this.#lookedAt > RETRY_MS)) {
      this.#lookedAt = start;
      onOverlooked();
    }
    if (recorded.isMore) return "unfinished";
    if (isPassed) {
      this.#isOverlooked = false;
      return "passed";
    }
    if (quarantine.isWaiting) return "unfinished";
    return this.#pace.isQuiet ? "quiet" : "recorded";
  }
}
