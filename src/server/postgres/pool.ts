import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "pino";
import type { Metrics } from "../metrics.js";
import { QUERY, traced } from "../tracing.js";
import { away, isWorthRetrying, toSpacefeedError } from "./errors.js";
import { outageWatch } from "./watch/outages.js";

/**
 * Through a pooler in transaction mode. PgBouncer refuses a connection that comes with such a setting, and its sessions
 * are everybody's: there the limit is the role's.
 */
export const POOLER_SETTINGS = { statement_timeout: false } as const;

/** Of a recorder, which a full pool does not hold up. */
export const RECORDER_SETTINGS = {
  application_name: "spacefeed recorder",
  max: 1,
  idleTimeoutMillis: 0,
  query_timeout: 11_000,
} as const;

const TRIES = 5;
/** A version is a number, and JSON stays the text that is sent. */
const TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => {
    if (oid === pg.types.builtins.INT8) return Number;
    return oid === pg.types.builtins.JSON ? String : pg.types.getTypeParser(oid, format);
  },
};

/** Connections to Postgres, and a statement on one of them. Errors are `SpacefeedError`s. */
export class Pool {
  readonly pool: pg.Pool;
  readonly #metrics: Metrics;
  readonly outages: ReturnType<typeof outageWatch>;

  constructor(url: string, log: Logger, metrics: Metrics, settings: pg.PoolConfig = {}) {
    this.#metrics = metrics;
    this.outages = outageWatch(log);
    this.pool = new pg.Pool({
      connectionString: url,
      application_name: "spacefeed",
      max: 10,
      connectionTimeoutMillis: 5_000,
      // Ours ends the wait when no answer can come any more, the server's ends the query.
      query_timeout: 15_000,
      statement_timeout: 10_000,
      keepAlive: true,
      types: TYPES,
      ...settings,
    });
    // One in use has its query rejected as well. From the start: its end may come right behind its beginning.
    this.pool.on("connect", (client) => client.on("error", () => {}));
    // An idle connection that dies must not take the process along: the next query makes a new one.
    this.pool.on("error", ({ message }) => {
      if (!this.pool.ending) log.warn({ reason: message }, "an idle database connection was lost");
    });
  }

  /**
   * Runs a statement, again after a serialization failure or a deadlock. `name` is its name in the metrics.
   * Nothing is prepared by name: the pool may lead through a pooler in transaction mode.
   */
  async query<Row extends pg.QueryResultRow>(name: string, text: string, values: unknown[]): Promise<Row[]> {
    const end = this.#metrics.queries.startTimer({ query: name });
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          return await traced(name, QUERY, () => this.#query<Row>(text, values));
        } catch (error) {
          if (attempt < TRIES && isWorthRetrying(error)) {
            await sleep(Math.random() * 10 * 2 ** attempt);
            continue;
          }
          const told = toSpacefeedError(error);
          if (!this.pool.ending) this.outages.note(told);
          throw told;
        }
      }
    } finally {
      end();
    }
  }

  async #query<Row extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<Row[]> {
    const client = await this.pool.connect().catch((error) => {
      throw away(error);
    });
    try {
      const { rows } = await client.query<Row>(text, values);
      client.release();
      return rows;
    } catch (error) {
      // After a refusal the session is as it was. After anything else it may have what is wrong: a session that began
      // while the database was read-only stays so.
      client.release(!isWorthRetrying(error) && toSpacefeedError(error).code === "unavailable");
      throw error;
    }
  }

  /** Ends the connections; those with a query that does not come back after a second. */
  async close(): Promise<void> {
    await Promise.race([this.pool.end(), sleep(1_000, undefined, { ref: false })]);
  }
}
