import type { Logger } from "pino";
import type { Metrics } from "../../metrics.js";
import type { Database, QueueHolder } from "../functions.js";

/** From here on it is said. Postgres' own log warns from a half on, and writers fail when the queue is full. */
const WARN_AT = 0.1;

/**
 * Watches the NOTIFY queue of the Postgres cluster. A session that listens and stays in a transaction keeps all
 * that is notified since from being dropped; when the queue is full, each commit that notifies fails.
 */
export class QueueWatch {
  readonly #database: Database;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  /** Tenths that the log has been told of. */
  #told = 0;
  #isBlind = false;

  constructor(database: Database, metrics: Metrics, log: Logger) {
    this.#database = database;
    this.#metrics = metrics;
    this.#log = log;
  }

  /**
   * Looks, and returns the warnings for `/readyz`, mostly none. They name no session: those are for the log, which
   * is told at each further tenth. Never rejects: who cannot look says NaN in the metrics.
   */
  async look(): Promise<string[]> {
    try {
      const { usage, holders } = await this.#database.notifyQueue();
      this.#metrics.queue.set(usage);
      this.#isBlind = false;
      const warning = `the NOTIFY queue is ${Math.floor(usage * 100)}% full, and writers fail at 100%`;
      const tenths = Math.floor(usage / WARN_AT);
      if (tenths > this.#told) this.#log.warn({ usage, holders }, `${warning}: ${nextStep(holders)}`);
      if (tenths < 1 && this.#told > 0) this.#log.info({ usage }, "the NOTIFY queue is emptied again");
      this.#told = tenths < 1 ? 0 : Math.max(tenths, this.#told);
      return tenths < 1
        ? []
        : [`${warning}: the relay's log has the session that keeps it from being emptied`];
    } catch (error) {
      this.#metrics.queue.set(Number.NaN);
      if (!this.#isBlind) this.#log.warn({ err: error }, "the NOTIFY queue cannot be watched");
      this.#isBlind = true;
      return [];
    }
  }
}

function nextStep(holders: QueueHolder[]): string {
  const [oldest] = holders;
  if (!oldest) {
    return (
      "a listening session that stays in a transaction keeps it from being emptied, of a role whose sessions ours " +
      "does not see: look in pg_stat_activity as a superuser, or grant pg_read_all_stats to the schema's owner"
    );
  }
  const { pid, database, user, application, since } = oldest;
  return (
    "it is emptied when the listening session with the oldest transaction ends it. The oldest of all transactions is " +
    `that of pid ${pid} ("${application}", user ${user}, database ${database}), since ${since}: if that one listens, ` +
    `commit there, or select pg_terminate_backend(${pid})`
  );
}
