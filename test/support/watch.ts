import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { afterEach, expect } from "vitest";
import { Database } from "../../src/server/database.js";
import { Listener } from "../../src/server/listener.js";
import { Metrics } from "../../src/server/metrics.js";
import type { SleepState } from "../../src/server/sleep.js";
import { WATCH_CONNECTION, Watch, type WatchOptions } from "../../src/server/watch.js";
import type { TestDatabase } from "./database.js";

/** For what other test files, whose writers are of the same cluster, can hold up. */
const PATIENCE = { timeout: 25_000, interval: 5 };

/** A space that polls seem to find, so that the watch stays awake. */
const STAY = "stay awake";

/** A watch and its listener, without a relay, and without the backstop that would mend a lost wake-up. */
export class TestWatch {
  /** Spaces by NOTIFY, and by NOTIFY or a poll; "*" for all. */
  notified: string[] = [];
  woken: string[] = [];
  readonly relayId = randomUUID();
  readonly metrics = new Metrics();
  readonly database: Database;
  readonly watch: Watch;
  readonly listener: Listener;
  /** By hand, if at all. */
  readonly #busy = { notifications: Number.POSITIVE_INFINITY, withinMs: 1_000 };
  #stays = false;
  #gate: Promise<void> | undefined;
  #held = () => {};

  constructor(db: Pick<TestDatabase, "url">, options: Partial<WatchOptions> = {}, listenUrl = db.url) {
    const log = pino({ level: process.env.TEST_LOG ?? "silent" });
    this.database = new Database(db.url, log, this.metrics, WATCH_CONNECTION);
    const ask = this.database.raisedSince.bind(this.database);
    this.database.raisedSince = async (seen) => {
      this.#held();
      await this.#gate;
      const raised = await ask(seen);
      return this.#stays && raised.spaceIds ? { ...raised, spaceIds: [...raised.spaceIds, STAY] } : raised;
    };
    const {
      onWake = (spaceId: string) => spaceId !== STAY && this.woken.push(spaceId),
      onWakeAll = () => this.woken.push("*"),
    } = options;
    this.watch = new Watch({
      database: this.database,
      relayId: this.relayId,
      metrics: this.metrics,
      log,
      busy: this.#busy,
      quietMs: 50,
      signOfLifeMs: 1_000_000,
      ...options,
      onWake,
      onWakeAll,
    });
    this.listener = new Listener({
      url: listenUrl,
      log,
      onWake: (spaceId) => {
        this.metrics.wakeUps.inc();
        this.notified.push(spaceId);
        onWake(spaceId);
        this.watch.heard();
      },
      onListening: onWakeAll,
    });
  }

  async start(): Promise<void> {
    await this.listener.start();
    await this.watch.start();
  }

  /** Wakes it, and keeps it awake until `mayNod`. */
  async wake(): Promise<void> {
    this.#stays = true;
    this.#busy.notifications = 1;
    this.watch.heard();
    this.#busy.notifications = Number.POSITIVE_INFINITY;
    await this.becomes("awake");
    await this.polls(1);
  }

  mayNod(): void {
    this.#stays = false;
  }

  async becomes(at: SleepState["at"]): Promise<void> {
    await expect.poll(() => this.watch.at, PATIENCE).toBe(at);
  }

  /** Holds up a poll that is about to be sent, and does the work before it is. */
  async beforePoll(work: () => Promise<void>): Promise<void> {
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

  /** So many polls from now on have ended. */
  async polls(count: number): Promise<void> {
    const polls = async () => (await this.metrics.polls.get()).values[0]?.value ?? 0;
    const before = await polls();
    await expect.poll(polls, PATIENCE).toBeGreaterThanOrEqual(before + count);
  }

  forget(): void {
    this.notified = [];
    this.woken = [];
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (this.watch.at === "closed") return;
    await this.watch.close();
    await this.listener.close();
  }
}

/** Watches that are closed after each test. */
export function useWatches(db: TestDatabase): (options?: Partial<WatchOptions>, url?: string) => TestWatch {
  let open: TestWatch[] = [];
  afterEach(async () => {
    for (const watch of open) await watch.close();
    open = [];
  });
  return (options, listenUrl) => {
    const watch = new TestWatch(db, options, listenUrl);
    open.push(watch);
    return watch;
  };
}
