import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Database } from "./database.js";
import type { Metrics } from "./metrics.js";
import { IDLE, type SleepEffect, type SleepEvent, type SleepState, step } from "./sleep.js";

export interface WatchOptions {
  /** One connection, straight to Postgres: what is polled builds on what the same server has shown before. */
  database: Database;
  /** In sync.relays. */
  relayId: string;
  metrics: Metrics;
  log: Logger;
  /** A space was raised. */
  onWake(spaceId: string): void;
  /** Any space may have been raised. */
  onWakeAll(): void;
  /** So many notifications within so many milliseconds are too many: 100 a second. */
  busy?: { notifications: number; withinMs: number };
  /** Polls that find nothing for so long are not worth it. Many times longer than `busy`, or it would flap. */
  quietMs?: number;
  /** Between two polls. One that took longer, or finds nothing while a writer is waited for, is followed by up to 50. */
  pollMs?: number;
  signOfLifeMs?: number;
}

/** How the database of a watch connects: a full pool does not hold it up, and a dead line is noticed soon. */
export const WATCH_CONNECTION = {
  application_name: "spacefeed watch",
  max: 1,
  idleTimeoutMillis: 0,
  query_timeout: 3_000,
  statement_timeout: 3_000,
};
const RETRY_MS = 250;
const POLL_MAX_MS = 50;
const FAREWELL_MS = 1_000;

/** Knows by NOTIFY or by polling which spaces were raised: carries out what the state machine in sleep.ts says. */
export class Watch {
  readonly #options: Required<WatchOptions>;
  #state: SleepState = IDLE;
  /** Ends when every query that was asked for so far has ended. */
  #last: Promise<void> = Promise.resolve();
  /** The snapshot of the last poll: what was raised by what it does not show is still to be found. */
  #seen: string | undefined;
  /** Everything below has to end before notifications suffice. */
  #drawn: bigint | undefined;
  #foundAt = 0;
  #pause = 0;
  #heard = { count: 0, since: 0 };
  #connections = 0;
  #isAway = false;
  #pollTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #lifeTimer: NodeJS.Timeout | undefined;

  constructor(options: WatchOptions) {
    this.#options = {
      busy: { notifications: 50, withinMs: 500 },
      quietMs: 1_000,
      pollMs: 5,
      signOfLifeMs: 10_000,
      ...options,
    };
    options.database.pool.on("connect", () => this.#connections++);
  }

  get at(): SleepState["at"] {
    return this.#state.at;
  }

  /** Begins, with LISTEN standing. Resolves when the relay is registered, or the database is away. */
  start(): Promise<void> {
    this.#lifeTimer = setInterval(() => this.#take("life-due"), this.#options.signOfLifeMs);
    this.#take("start");
    return this.#last;
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

  /** Says farewell, if the database is there, and ends the connection. */
  async close(): Promise<void> {
    const { database, relayId } = this.#options;
    this.#take("close");
    const farewell = this.#last.then(() => database.relayGone(relayId)).catch(() => {});
    await Promise.race([farewell, sleep(FAREWELL_MS, undefined, { ref: false })]);
    await database.close();
  }

  #take(event: SleepEvent): void {
    const { metrics, log } = this.#options;
    const from = this.#state.at;
    const [state, effects] = step(this.#state, event);
    this.#state = state;
    if (state.at !== from) {
      log.debug({ from, to: state.at }, "sleep and wake");
      metrics.sleepChanges.inc();
      metrics.awake.set(state.at === "awake" ? 1 : 0);
    }
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: SleepEffect): void {
    switch (effect) {
      case "poll later":
        this.#pollTimer = setTimeout(() => this.#take("poll-due"), this.#pause);
        return;
      case "retry later":
        this.#retryTimer = setTimeout(() => this.#take("retry-due"), RETRY_MS);
        return;
      case "stop":
        clearTimeout(this.#pollTimer);
        clearTimeout(this.#retryTimer);
        clearInterval(this.#lifeTimer);
        return;
      default:
        if (effect === "poll") clearTimeout(this.#pollTimer); // left from a state that is over
        this.#last = this.#last.then(() => this.#do(effect));
    }
  }

  async #do(effect: "say asleep" | "say awake" | "draw" | "poll" | "forget"): Promise<void> {
    if (effect === "forget") {
      this.#seen = undefined;
      this.#drawn = undefined;
      return;
    }
    const connections = this.#connections;
    const mayConnect = effect.startsWith("say") && this.#seen === undefined && this.#drawn === undefined;
    try {
      const event = await this.#query(effect);
      // Xids and snapshots are those of a server that may have crashed meanwhile, or be another now.
      if (this.#connections !== connections && !mayConnect) throw new Error("the connection was lost");
      this.#take(event);
    } catch (error) {
      const { at } = this.#state;
      this.#take("failed");
      if (at === "closed" || this.#isAway) return;
      this.#isAway = true;
      this.#options.log.warn({ err: error, at }, "the relay cannot look after the spaces; trying again");
    }
  }

  async #query(effect: "say asleep" | "say awake" | "draw" | "poll"): Promise<SleepEvent> {
    const { database, relayId } = this.#options;
    if (effect === "draw") {
      this.#drawn = await database.drawXid();
      this.#foundAt = performance.now();
      return "drawn";
    }
    if (effect === "poll") return this.#poll();
    const { wasAsleep, before } = await database.relaySeen(relayId, effect === "say asleep");
    if (effect === "say awake") {
      // What was committed before has notified; unless this relay was overlooked, then the first poll says "any".
      if (wasAsleep) this.#seen ??= before;
      this.#drawn = undefined;
      this.#foundAt = performance.now();
    }
    return wasAsleep ? "registered" : "registered anew";
  }

  async #poll(): Promise<SleepEvent> {
    const { database, metrics, pollMs, quietMs, onWake, onWakeAll } = this.#options;
    const start = performance.now();
    const { seen, oldestOpen, spaceIds } = await database.raisedSince(this.#seen);
    const now = performance.now();
    this.#seen = seen;
    this.#isAway = false;
    metrics.polls.inc();
    if (spaceIds) for (const spaceId of spaceIds) onWake(spaceId);
    else onWakeAll();

    if (spaceIds?.length !== 0) this.#foundAt = now;
    const isQuiet = now - this.#foundAt >= quietMs;
    this.#pause = isQuiet ? POLL_MAX_MS : Math.min(Math.max(pollMs, now - start), POLL_MAX_MS);
    if (this.#drawn !== undefined && oldestOpen > this.#drawn) return "passed";
    return isQuiet ? "quiet" : "polled";
  }
}
