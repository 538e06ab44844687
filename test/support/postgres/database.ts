import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, inject } from "vitest";

/** The database of one test file. */
export interface TestDatabase {
  /** Connection string of a superuser. */
  url: string;
  /** A new connection, closed after the file. `name` shows in pg_stat_activity. */
  connect(name?: string): Promise<pg.Client>;
}

let created = 0;

/**
 * One database a test file, cloned from the migrated template. Dropping it at the end fails when a test
 * has left a connection open: that is the check for leaks.
 */
export function useDatabase(): TestDatabase {
  const templateUrl = new URL(inject("templateUrl"));
  const template = templateUrl.pathname.slice(1);
  const name = `${template}_${process.env.VITEST_POOL_ID ?? 0}_${process.pid}_${++created}`;
  const url = new URL(templateUrl);
  url.pathname = `/${name}`;
  const clients: pg.Client[] = [];

  beforeAll(() =>
    asAdmin(templateUrl, (admin) => admin.query(`create database ${name} template ${template}`)),
  );

  afterAll(async () => {
    await Promise.all(clients.map((client) => client.end().catch(() => {})));
    await asAdmin(templateUrl, async (admin) => {
      // A closed connection takes a moment to leave the list.
      const sessions = () =>
        admin.query("select pid, application_name, query from pg_stat_activity where datname = $1", [name]);
      const deadline = Date.now() + 2000;
      while ((await sessions()).rowCount && Date.now() < deadline) await setTimeout(20);
      expect((await sessions()).rows, "connections left open").toEqual([]);
      await admin.query(`drop database ${name}`);
    });
  });

  return {
    url: url.href,
    connect: async (applicationName = "test") => {
      const client = new pg.Client({ connectionString: url.href, application_name: applicationName });
      client.on("error", () => {}); // some tests kill their sessions
      clients.push(client);
      await client.connect();
      return client;
    },
  };
}

async function asAdmin(url: URL, work: (admin: pg.Client) => Promise<unknown>): Promise<void> {
  const adminUrl = new URL(url);
  adminUrl.pathname = "/postgres";
  const admin = new pg.Client({ connectionString: adminUrl.href });
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.end();
  }
}
