import { setTimeout } from "node:timers/promises";
import type pg from "pg";
import { beforeAll } from "vitest";
import type { TestDatabase } from "./database.js";

export type Row = Record<string, unknown>;

/** What became of a statement: its rows, or the error that refused it. */
export type Outcome = { rows: Row[]; error?: undefined } | { rows?: undefined; error: pg.DatabaseError };

/** One connection to Postgres, driven statement by statement as an isolation spec does it. */
export class Session {
  private constructor(
    readonly client: pg.Client,
    readonly pid: number,
  ) {}

  static async open(db: TestDatabase, name?: string): Promise<Session> {
    const client = await db.connect(name);
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    return new Session(client, rows[0]?.pid ?? 0);
  }

  /** The rows of a statement; several statements in one text, without values, give none. */
  async query(text: string, values?: unknown[]): Promise<Row[]> {
    const result = await this.client.query<Row>(text, values);
    return Array.isArray(result) ? [] : result.rows;
  }

  /** Runs statements one after the other, each with a round trip of its own. */
  async run(...statements: string[]): Promise<void> {
    for (const statement of statements) await this.client.query(statement);
  }

  /** The first column of the first row; undefined when there is no row. */
  async value(text: string, values?: unknown[]): Promise<unknown> {
    const [row] = await this.query(text, values);
    return row === undefined ? undefined : Object.values(row)[0];
  }

  /** Never rejects: for what may be refused, and for what is left waiting while others go on. */
  outcome(text: string, values?: unknown[]): Promise<Outcome> {
    return this.query(text, values).then(
      (rows) => ({ rows }),
      (error: pg.DatabaseError) => ({ error }),
    );
  }

  /** The SQLSTATE with which a statement is refused; undefined when it is not. */
  async refusal(text: string, values?: unknown[]): Promise<string | undefined> {
    return (await this.outcome(text, values)).error?.code;
  }

  /** Does the work in a transaction and rolls it back. */
  async undone<T>(work: () => Promise<T>): Promise<T> {
    await this.query("begin");
    try {
      return await work();
    } finally {
      await this.query("rollback");
    }
  }
}

/** A session for a test file, open from before its tests. */
export function useSession(db: TestDatabase): Session {
  const session: Session = Object.create(Session.prototype);
  beforeAll(async () => {
    Object.assign(session, await Session.open(db));
  });
  return session;
}

/** Watches a statement of the session `waiting` from a third session: is it done, or does it wait for a lock that `by` holds? */
export async function progress(
  observer: Session,
  pending: Promise<Outcome>,
  waiting: Session,
  by: Session,
): Promise<"done" | "waits"> {
  let done = false;
  void pending.then(() => {
    done = true;
  });
  while (!done) {
    if (await observer.value("select $2 = any(pg_blocking_pids($1))", [waiting.pid, by.pid])) return "waits";
    await setTimeout(2);
  }
  return "done";
}
