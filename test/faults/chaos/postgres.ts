import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { type EmbeddedPostgres, startEmbedded } from "../../../src/embedded/embedded.js";
import { freePort } from "../../support/process/free-port.js";
import type { Journal } from "./journal.js";

/** A Postgres of our own, with fsync as it comes, that can be killed and started again at the same place. */
export class Postgres {
  url = "";
  readonly #dataDir: string;
  readonly #journal: Journal;
  #port = 0;
  #running: EmbeddedPostgres | undefined;

  constructor(dataDir: string, journal: Journal) {
    this.#dataDir = dataDir;
    this.#journal = journal;
  }

  async start(): Promise<void> {
    if (this.#running) return;
    this.#port ||= await freePort();
    const log = (message: string) => this.#journal.note(`postgres: ${message}`);
    this.#running = await startEmbedded({ dataDir: this.#dataDir, port: this.#port, log });
    if (this.url && this.url !== this.#running.url)
      throw new Error(`${this.url} was taken by another server`);
    this.url = this.#running.url;
  }

  /** In order, and at once: sessions are ended, nothing waits for them. */
  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
  }

  /** SIGKILL for the postmaster; what it leaves behind is recovered when it starts again. */
  async kill(): Promise<void> {
    if (!this.#running) return;
    process.kill(this.#pid(), "SIGKILL");
    await this.#running.exited;
    await this.stop();
  }

  /** SIGKILL for one session: the postmaster ends all the others, and recovers. */
  async crash(): Promise<void> {
    await this.once(async (client) => {
      const { rows } = await client.query<{ pid: number }>(
        "select pid from pg_stat_activity where application_name like 'spacefeed%' order by pid limit 1",
      );
      if (rows[0]) process.kill(rows[0].pid, "SIGKILL");
    });
  }

  /** For the moment of our own end, when nothing can be awaited. */
  killNow(): void {
    if (this.#running) process.kill(this.#pid(), "SIGKILL");
  }

  /** A session of our own; the caller ends it. It may break at any time. */
  async connect(name: string, settings: pg.ClientConfig = {}): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.url,
      application_name: name,
      connectionTimeoutMillis: 10_000,
      ...settings,
    });
    client.on("error", () => {}); // the query that it breaks rejects as well
    await client.connect().catch((error) => {
      void client.end().catch(() => {});
      throw error;
    });
    return client;
  }

  /** Work in a session that lasts no longer. */
  async once<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = await this.connect("chaos once");
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** Work that is done as soon as Postgres is there for it. */
  async patiently<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.once(work);
      } catch (error) {
        if (tries === 60) throw error;
        await sleep(1_000);
      }
    }
  }

  #pid(): number {
    return Number(readFileSync(join(this.#dataDir, "postgres", "postmaster.pid"), "utf8").split("\n")[0]);
  }
}
