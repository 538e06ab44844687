import type { Logger } from "pino";
import type { Metrics } from "../../metrics.js";
import type { Database, QueueHolder } from "../functions.js";

/** From here on it is said. Postgres' own log warns from a half on, and writers fail when the queue is full. */
const WARN_AT = 0.1;

/**
 * Watches the NOTIFY queue of the Postgres cluster. A session that listens and stays in a transaction keeps all
 * that is notified since from being dropped; when the queue is full, each commit that notifies fails.
 */
export function queueWatch(database: Database, metrics: Metrics, log: Logger) {
  /** Tenths that the log has been told of. */
  let told = 0;
  let isBlind = false;

  return {
    /**
     * Looks, and returns the warnings for `/readyz`, mostly none. They name no session: those are for the log, which
     * is told at each further tenth. Never rejects: where it cannot look, the metric is NaN.
     */
    async look(): Promise<string[]> {
      try {
        const { usage, holders } = await database.notifyQueue();
        metrics.queue.set(usage);
        isBlind = false;
        const warning = `the NOTIFY queue is ${Math.floor(usage * 100)}% full, and writers fail at 100%`;
        const tenths = Math.floor(usage / WARN_AT);
        if (tenths > told) log.warn({ usage, holders }, `${warning}: ${nextStep(holders)}`);
        if (tenths < 1 && told > 0) log.info({ usage }, "the NOTIFY queue is emptied again");
        told = tenths < 1 ? 0 : Math.max(tenths, told);
        if (tenths < 1) return [];
        return [`${warning}: the relay's log has the session that keeps it from being emptied`];
      } catch (error) {
        metrics.queue.set(Number.NaN);
        if (!isBlind) log.warn({ err: error }, "the NOTIFY queue cannot be watched");
        isBlind = true;
        return [];
      }
    },
  };
}

function nextStep([oldest]: QueueHolder[]): string {
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
