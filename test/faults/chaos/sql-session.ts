import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Journal } from "./journal.js";
import type { Outcome } from "./ledger.js";
import type { Postgres } from "./postgres.js";

const TRIES = 5;

/** A session that breaks now and then and is opened again; it knows of each write what became of it. */
export class SqlSession {
  #client: pg.Client | undefined;

  constructor(
    readonly name: string,
    readonly postgres: Postgres,
    readonly journal: Journal,
  ) {}

  /** Opens it if need be; false when that cannot be done now. */
  async isOpen(): Promise<boolean> {
    if (this.#client) return true;
    try {
      const client = await this.postgres.connect(this.name, { statement_timeout: 20_000 });
      client.once("end", () => this.#client === client && void this.close());
      this.#client = client;
      return true;
    } catch {
      await sleep(500);
      return false;
    }
  }

  statement(text: string, values: unknown[]): Promise<Outcome> {
    return this.settle((client) => client.query(text, values));
  }

  /** Work in a transaction, again after a serialization failure. `end`: commit or rollback. */
  async transact(
    isolation: string,
    work: (client: pg.Client) => Promise<unknown>,
    end = "commit",
  ): Promise<Outcome> {
    for (let tries = 1; ; tries++) {
      const client = this.#client;
      if (!client) return "refused";
      let state: string | undefined;
      try {
        await client.query(`begin isolation level ${isolation}`);
        await work(client);
      } catch (error) {
        // What has not been committed is gone, however the session ended.
        state = this.#stateOf(error);
        await client.query("rollback").catch(() => this.close());
        if (state === "40001" && tries < TRIES) continue;
        return "refused";
      }
      const outcome = await this.settle(
        () => client.query(end),
        (code) => {
          state = code;
        },
      );
      if (outcome !== "refused" || state !== "40001" || tries === TRIES) return outcome;
    }
  }

  /** Something that commits. */
  async settle(
    work: (client: pg.Client) => Promise<unknown>,
    onRefusal: (state: string | undefined) => void = () => {},
  ): Promise<Outcome> {
    if (!this.#client) return "refused";
    try {
      await work(this.#client);
      return "acknowledged";
    } catch (error) {
      const state = this.#stateOf(error);
      onRefusal(state);
      // A session that has ended may have done it before.
      if (state !== undefined && !/^(08|57P|XX)/.test(state)) return "refused";
      await this.close();
      return "unknown";
    }
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => {});
  }

  #stateOf(error: unknown): string | undefined {
    const state = error instanceof pg.DatabaseError ? error.code : undefined;
    this.journal.count(`refusal: SQL, ${state ?? "a lost connection"}`);
    return state;
  }
}
