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
}

const SPACES_AT_ONCE = 1_000;
/** A query that takes longer holds up its own spaces only: for the others one more may be under way, up to so many. */
const SLOW_MS = 50;
const MOST_SLOW = 3;

/**
 * Asks for the changes of all spaces that were woken in one query, and starts again with those that were woken
 * meanwhile: the busier it is, the more each query carries.
 */
export class CatchUp {
  readonly #loader: Loader<string, undefined>;
  #slow = 0;

  /**
   * `versionsOf`: from which versions of a space somebody is to be caught up. `asking`: called before each query,
   * returns what takes the answers.
   */
  constructor(
    private readonly options: CatchUpOptions,
    private readonly versionsOf: (spaceId: string) => number[],
    private readonly asking: () => (answers: Changes[]) => void,
  ) {
    this.#loader = new Loader({ batch: () => SPACES_AT_ONCE, ask: (spaceIds) => this.#catchUp(spaceIds) });
  }

  /** The space may have changed, or somebody is to be caught up in it. */
  wake(spaceId: string): void {
    void this.#loader.load(spaceId);
  }

  async #catchUp(spaceIds: string[]): Promise<undefined[]> {
    const questions = spaceIds.flatMap((id) => this.versionsOf(id).map((version) => ({ id, version })));
    let widened = 0;
    const timer = setTimeout(() => {
      widened = this.#slow < MOST_SLOW ? 1 : 0;
      this.#slow += widened;
      this.#loader.widen(widened);
    }, SLOW_MS);
    const apply = this.asking();
    try {
      if (questions.length > 0) apply(await this.#ask(questions));
    } catch (error) {
      this.options.log.warn({ err: error }, "a catch-up failed; trying again");
      await sleep(RETRY_MS, undefined, { ref: false });
      for (const spaceId of spaceIds) this.wake(spaceId);
    }
    clearTimeout(timer);
    this.#slow -= widened;
    this.#loader.widen(-widened);
    return [];
  }

  /** Throws only when the database is away. A space of which the query fails does not hold up the others. */
  async #ask(questions: { id: string; version: number }[]): Promise<Changes[]> {
    const { database, catchUpLimit, metrics, log } = this.options;
    const [spaceIds, versions] = [questions.map(({ id }) => id), questions.map(({ version }) => version)];
    try {
      const answers = await database.changesSince(spaceIds, versions, catchUpLimit);
      metrics.catchUps.inc(answers.length);
      return answers;
    } catch (error) {
      if (error instanceof SpacefeedError && error.code === "unavailable") throw error;
      const answers: Changes[] = [];
      if (questions.length === 1)
        log.error({ err: error, spaceId: spaceIds[0] }, "this space cannot be caught up for now");
      else for (const question of questions) answers.push(...(await this.#ask([question])));
      return answers;
    }
  }
}
