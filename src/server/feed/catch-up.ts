import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { SpacefeedError } from "../../protocol/errors.js";
import { Loader, RETRY_MS } from "../loader.js";
import type { Metrics } from "../metrics.js";
import type { Changes, Database } from "../postgres/functions.js";

export interface CatchUpOptions {
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

const SPACES_AT_ONCE = 1_000;
/** A query that takes longer holds up its own spaces only: another one may be under way for the rest, up to so many. */
const SLOW_MS = 50;
const MOST_SLOW = 3;

/**
 * Asks for the changes of all spaces that were woken in one query, and starts again with those that were woken
 * meanwhile: the busier it is, the more each query carries.
 */
export class CatchUp {
  readonly #options: CatchUpOptions;
  readonly #loader: Loader<string, undefined>;
  #slow = 0;

  constructor(options: CatchUpOptions) {
    this.#options = options;
    this.#loader = new Loader({ batch: () => SPACES_AT_ONCE, ask: (spaceIds) => this.#catchUp(spaceIds) });
  }

  /** The space may have changed, or somebody is to be caught up in it. */
  wake(spaceId: string): void {
    void this.#loader.load(spaceId);
  }

  async #catchUp(spaceIds: string[]): Promise<undefined[]> {
    const { versionsOf, epoch, apply, log } = this.#options;
    const questions = spaceIds.flatMap((id) => versionsOf(id).map((version) => [id, version] as const));
    if (questions.length === 0) return [];
    let lanes = 0;
    const slow = setTimeout(() => {
      if (this.#slow === MOST_SLOW) return;
      lanes = 1;
      this.#slow++;
      this.#loader.widen(1);
    }, SLOW_MS);
    const askedIn = epoch();
    try {
      apply(await this.#ask(questions), askedIn);
    } catch (error) {
      log.warn({ err: error }, "catch-up did not work; trying again");
      await sleep(RETRY_MS, undefined, { ref: false });
      for (const spaceId of spaceIds) this.wake(spaceId);
    }
    clearTimeout(slow);
    this.#slow -= lanes;
    this.#loader.widen(-lanes);
    return [];
  }

  /** Throws only when the database is away. A space of which the query fails does not hold up the others. */
  async #ask(questions: (readonly [spaceId: string, version: number])[]): Promise<Changes[]> {
    const { database, catchUpLimit, metrics, log } = this.#options;
    const [spaceIds, versions] = [questions.map(([id]) => id), questions.map(([, version]) => version)];
    try {
      const answers = await database.changesSince(spaceIds, versions, catchUpLimit);
      metrics.catchUps.inc(answers.length);
      return answers;
    } catch (error) {
      if (error instanceof SpacefeedError && error.code === "unavailable") throw error;
      if (questions.length === 1) {
        log.error({ err: error, spaceId: spaceIds[0] }, "this space cannot be caught up for now");
        return [];
      }
      const answers: Changes[] = [];
      for (const question of questions) answers.push(...(await this.#ask([question])));
      return answers;
    }
  }
}
