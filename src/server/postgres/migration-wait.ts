import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

const SOON_MS = 1_000;
const AGAIN_MS = 10_000;

/** A session that holds a lock which another one waits for. Null: not for our eyes. */
interface Holder {
  pid: number;
  application: string;
  user: string | null;
  state: string | null;
}

/** Does the work of a session, and tells who it waits for when it takes long: a lock is waited for in silence. */
export async function withHolders<T>(
  session: { url: string; pid: number },
  work: () => Promise<T>,
  tell: (message: string) => void,
): Promise<T> {
  const done = new AbortController();
  void watch(session, tell, done.signal).catch(() => {});
  try {
    return await work();
  } finally {
    done.abort();
  }
}

async function watch(
  { url, pid }: { url: string; pid: number },
  tell: (message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let ms = SOON_MS; ; ms = AGAIN_MS) {
    await sleep(ms, undefined, { signal });
    const holders = await holdersBefore(url, pid).catch(() => []);
    if (holders.length > 0 && !signal.aborted) tell(waitMessage(holders));
  }
}

function waitMessage(holders: Holder[]): string {
  const named = holders.map(
    ({ pid, application, user, state }) =>
      `pid ${pid} ("${application}"${user === null ? "" : `, user ${user}`}${state === null ? "" : `, ${state}`})`,
  );
  const ends = holders.map(({ pid }) => `select pg_terminate_backend(${pid});`);
  return `the migration waits for ${named.join(" and ")}: let it finish there, or run ${ends.join(" ")}`;
}

async function holdersBefore(connectionString: string, pid: number): Promise<Holder[]> {
  const client = new pg.Client({
    connectionString,
    application_name: "spacefeed migrate",
    connectionTimeoutMillis: 5_000,
    query_timeout: 5_000,
  });
  client.on("error", () => {}); // what is under way rejects as well
  try {
    await client.connect();
    const { rows } = await client.query<Holder>(
      `select a.pid, a.application_name as application, a.usename as user, a.state
       from pg_catalog.pg_stat_activity a
       where a.pid = any(pg_catalog.pg_blocking_pids($1))`,
      [pid],
    );
    return rows;
  } finally {
    void client.end().catch(() => {});
  }
}
