import { setTimeout as sleep } from "node:timers/promises";
import { inSession } from "./session.js";

const SOON_MS = 1_000;
const AGAIN_MS = 10_000;

/** Does the work of the session of this pid, and tells whom it waits for: a lock is waited for in silence. */
export async function tellingWhoHolds<T>(
  url: string,
  pid: number,
  work: () => Promise<T>,
  tell: (message: string) => void,
): Promise<T> {
  const done = new AbortController();
  const watch = async () => {
    for (let ms = SOON_MS; ; ms = AGAIN_MS) {
      await sleep(ms, undefined, { signal: done.signal });
      const message = await whoHolds(url, pid).catch(() => null);
      if (message && !done.signal.aborted) tell(message);
    }
  };
  watch().catch(() => {});
  return work().finally(() => done.abort());
}

/** The sessions that hold a lock which this one waits for; null: none. User and state may be hidden from us. */
async function whoHolds(connectionString: string, pid: number): Promise<string | null> {
  const settings = { connectionString, application_name: "spacefeed migrate", query_timeout: 5_000 };
  const { rows } = await inSession(settings, (client) =>
    client.query<{ message: string | null }>(
      `select 'the migration waits for '
         || string_agg(format('pid %s ("%s"%s%s)', pid, application_name, ', user ' || usename, ', ' || state), ' and ')
         || ': let it finish there, or run '
         || string_agg(format('select pg_terminate_backend(%s);', pid), ' ') as message
       from pg_catalog.pg_stat_activity
       where pid = any(pg_catalog.pg_blocking_pids($1))`,
      [pid],
    ),
  );
  return rows[0]?.message ?? null;
}
