import { pino } from "pino";
import { afterEach, expect } from "vitest";
import { Metrics } from "../../../src/server/metrics.js";
import { Database } from "../../../src/server/postgres/functions.js";
import { Listener } from "../../../src/server/postgres/listener.js";
import { RECORDER_SETTINGS } from "../../../src/server/postgres/pool.js";
import { Recorder, type RecorderOptions } from "../../../src/server/postgres/recorder.js";
import type { RecordingState } from "../../../src/server/postgres/recording.js";
import type { TestDatabase } from "./database.js";

/** For what other test files, whose writers are of the same cluster, can hold up. */
const PATIENCE = { timeout: 25_000, interval: 5 };

/** A recorder and its listener, without a relay, and without the backstop that would mend what is lost. */
export class TestRecorder {
  /** Spaces by notification; "*" for all. */
  woken: string[] = [];
  /** How often a commit has left it to the relays. */
  left = 0;
  readonly metrics = new Metrics();
  readonly database: Database;
  readonly recorder: Recorder;
  readonly listener: Listener;
  /** By hand, if at all. */
  readonly #busy = { notifications: Number.POSITIVE_INFINITY, withinMs: 1_000 };
  #stays = false;
  #gate: Promise<void> | undefined;
  #held = () => {};

  constructor(
    db: Pick<TestDatabase, "url">,
    options: Partial<RecorderOptions> = {},
    onWake = (_spaceId: string) => {},
  ) {
    const log = pino({ level: process.env.TEST_LOG ?? "silent" });
    this.database = new Database(db.url, log, this.metrics, RECORDER_SETTINGS);
    const record = this.database.record.bind(this.database);
    this.database.record = async (...of) => {
      this.#held();
      await this.#gate;
      const recorded = await record(...of);
      return this.#stays ? { ...recorded, filed: Math.max(recorded.filed, 1) } : recorded;
    };
    const { onOverlooked = () => this.woken.push("*") } = options;
    this.recorder = new Recorder({
      database: this.database,
      metrics: this.metrics,
      log,
      busy: this.#busy,
      quietMs: 50,
      ...options,
      onOverlooked,
    });
    this.listener = new Listener({
      url: db.url,
      log,
      onWake: (spaceId) => {
        this.metrics.wakeUps.inc();
        this.woken.push(spaceId);
        onWake(spaceId);
        this.recorder.heard();
      },
      onLeft: () => {
        this.left++;
        this.recorder.heard();
        this.recorder.left();
      },
      onListening: () => {
        onOverlooked();
        this.recorder.left();
      },
    });
  }

  async start(): Promise<void> {
    await this.listener.start();
    await this.recorder.start();
  }

  /** Started, and asleep. */
  async sleeps(): Promise<void> {
    await this.start();
    await this.becomes("asleep");
    this.forget();
  }

  /** Wakes it, and keeps it awake until `mayNod`. */
  async wake(): Promise<void> {
    this.#stays = true;
    // Again, where another one has not given the lock back yet.
    await expect
      .poll(() => {
        this.#busy.notifications = 1;
        this.recorder.heard();
        this.#busy.notifications = Number.POSITIVE_INFINITY;
        return this.recorder.at;
      }, PATIENCE)
      .toBe("awake");
    await this.records(1);
  }

  mayNod(): void {
    this.#stays = false;
  }

  async becomes(at: RecordingState): Promise<void> {
    await expect.poll(() => this.recorder.at, PATIENCE).toBe(at);
  }

  /** Holds up a recording that is about to be sent, and does the work before it is. */
  async beforeRecording(work: () => Promise<void>): Promise<void> {
    let release = () => {};
    this.#gate = new Promise((resolve) => {
      release = resolve;
    });
    await new Promise<void>((resolve) => {
      this.#held = resolve;
    });
    await work().finally(release);
    this.#gate = undefined;
  }

  /** It knows of the space, or that any may have been raised. */
  async sees(spaceId: string): Promise<void> {
    await expect.poll(() => this.woken, PATIENCE).toContain(spaceId);
  }

  /** So many recordings from now on have ended. */
  async records(count: number): Promise<void> {
    const recordings = async () => (await this.metrics.recordings.get()).values[0]?.value ?? 0;
    const before = await recordings();
    await expect.poll(recordings, PATIENCE).toBeGreaterThanOrEqual(before + count);
  }

  forget(): void {
    this.woken = [];
    this.left = 0;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (this.recorder.at === "closed") return;
    await this.recorder.close();
    await this.listener.close();
  }
}

/** Recorders that are closed after each test. */
export function useRecorders(db: TestDatabase): (options?: Partial<RecorderOptions>) => TestRecorder {
  let open: TestRecorder[] = [];
  afterEach(async () => {
    for (const recorder of open) await recorder.close();
    open = [];
  });
  return (options) => {
    const recorder = new TestRecorder(db, options);
    open.push(recorder);
    return recorder;
  };
}
