import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { SpacefeedError } from "../../protocol/errors.js";
import type { Metrics } from "../metrics.js";
import type { Changes, Database } from "../postgres/functions.js";

export interface PumpOptions {
  database: Database;
  metrics: Metrics;
  log: Logger;
  /** More changed entities than that behind: a space-sync. */
  catchUpLimit: number;
  /** The versions of a space from which somebody is to be caught up. */
  versionsOf(spaceId: string): number[];
  /** The incarnation of the data that a question is asked in. */
  epoch(): string | undefined;
  /** Takes the answers to one question, with the epoch in which it was asked. */
  apply(answers: Changes[], askedIn: string | undefined): void;
}

const RETRY_MS = 250;
const SPACES_AT_ONCE = 1_000;
/** A query that takes longer holds up its own spaces only. */
const SLOW_MS = 50;
const LANES = 4;

/**
 * Asks for the changes of all dirty spaces in one query, and starts again with what became dirty meanwhile: the
 * busier it is, the more each query carries. Where one takes long, another lane opens for the other spaces.
 */
export class Pump {
  readonly #options: PumpOptions;
  readonly #dirty = new Set<string>();
  /** The spaces of the queries that run: one is never asked for twice at a time. */
  readonly #asked = new Set<string>();
  readonly #closing = new AbortController();
  #lanes = 0;
  #slowLanes = 0;

  constructor(options: PumpOptions) {
    this.#options = options;
  }

  /** The space may have changed, or somebody is to be caught up in it. */
  wake(spaceId: string): void {
    this.#dirty.add(spaceId);
    this.#open();
  }

  close(): void {
    this.#closing.abort();
    this.#dirty.clear();
  }

  #open(): void {
    if (this.#lanes === this.#slowLanes && this.#lanes < LANES && this.#dirty.size > 0) void this.#run();
  }

  async #run(): Promise<void> {
    this.#lanes++;
    // One turn of the event loop: what is committed together, or joins together, shares the query.
    await new Promise(setImmediate);
    // Not where this lane was slow, and another has opened meanwhile.
    while (this.#lanes - this.#slowLanes === 1 && !this.#closing.signal.aborted) {
      const spaceIds: string[] = [];
      const versions: number[] = [];
      for (const spaceId of this.#dirty) {
        if (this.#asked.has(spaceId)) continue;
        this.#dirty.delete(spaceId);
        for (const version of this.#options.versionsOf(spaceId)) {
          spaceIds.push(spaceId);
          versions.push(version);
        }
        if (spaceIds.length >= SPACES_AT_ONCE) break;
      }
      if (spaceIds.length === 0) break;
      await this.#catchUp(spaceIds, versions);
    }
    this.#lanes--;
  }

  async #catchUp(spaceIds: string[], versions: number[]): Promise<void> {
    let isSlow = false;
    const slow = setTimeout(() => {
      isSlow = true;
      this.#slowLanes++;
      this.#open();
    }, SLOW_MS);
    for (const spaceId of spaceIds) this.#asked.add(spaceId);
    const epoch = this.#options.epoch();
    try {
      this.#options.apply(await this.#ask(spaceIds, versions), epoch);
    } catch (error) {
      this.#options.log.warn({ err: error }, "a catch-up failed; trying again");
      for (const spaceId of spaceIds) this.#dirty.add(spaceId);
      await sleep(RETRY_MS, undefined, { signal: this.#closing.signal }).catch(() => {});
    }
    for (const spaceId of spaceIds) this.#asked.delete(spaceId);
    clearTimeout(slow);
    if (isSlow) this.#slowLanes--;
  }

  /** Throws only when the database is away. A space of which the query fails does not hold up the others. */
  async #ask(spaceIds: string[], versions: number[]): Promise<Changes[]> {
    const { database, catchUpLimit, metrics, log } = this.#options;
    try {
      const answers = await database.changesSince(spaceIds, versions, catchUpLimit);
      metrics.catchUps.inc(answers.length);
      return answers;
    } catch (error) {
      if (error instanceof SpacefeedError && error.code === "unavailable") throw error;
      if (spaceIds.length === 1) {
        log.error({ err: error, spaceId: spaceIds[0] }, "this space cannot be caught up for now");
        return [];
      }
      const answers: Changes[] = [];
      for (const [index, spaceId] of spaceIds.entries()) {
        answers.push(...(await this.#ask([spaceId], [versions[index] as number])));
      }
      return answers;
    }
  }
}
