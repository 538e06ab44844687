import type { Logger } from "pino";
import type { Metrics } from "../../metrics.js";
import type { Database } from "../functions.js";

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
      const queue = await database.notifyQueue().catch((error) => {
        if (!isBlind) log.warn({ err: error }, "the NOTIFY queue cannot be watched");
      });
      isBlind = !queue;
      metrics.queue.set(queue?.usage ?? Number.NaN);
      if (!queue) return [];
      const { usage, holders } = queue;
      const warning = `the NOTIFY queue is ${Math.floor(usage * 100)}% full, and writers fail at 100%`;
      const tenths = Math.floor(usage / WARN_AT);
      if (tenths > told) log.warn({ usage, holders }, `${warning}: ${nextStep(holders[0]?.pid)}`);
      if (tenths < 1 && told > 0) log.info({ usage }, "the NOTIFY queue is emptied again");
      told = tenths < 1 ? 0 : Math.max(tenths, told);
      if (tenths < 1) return [];
      return [`${warning}: the relay's log has the session that keeps it from being emptied`];
    },
  };
}

function nextStep(oldest: number | undefined): string {
  return oldest === undefined
    ? "a listening session that stays in a transaction keeps it from being emptied, of a role whose sessions ours " +
        "does not see: look in pg_stat_activity as a superuser, or grant pg_read_all_stats to the schema's owner"
    : "it is emptied when the listening session with the oldest transaction ends it. Of all sessions (see `holders`) " +
        `pid ${oldest} has the oldest: if it listens, commit there, or select pg_terminate_backend(${oldest})`;
}
