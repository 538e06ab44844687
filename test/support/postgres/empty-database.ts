import pg from "pg";
import { afterAll } from "vitest";
import type { TestDatabase } from "./database.js";

/** Makes databases without a schema beside that of the test file, and drops them after it. */
export function useEmptyDatabases(db: TestDatabase) {
  const names: string[] = [];
  const clients: pg.Client[] = [];

  afterAll(async () => {
    await Promise.all(clients.map((client) => client.end()));
    const admin = await db.connect();
    for (const name of names) await admin.query(`drop database ${name}`);
  });

  /** A new database, and a connection to it. */
  return async function emptyDatabase(): Promise<{ url: string; client: pg.Client }> {
    const url = new URL(db.url);
    const name = `${url.pathname.slice(1)}_empty_${names.length + 1}`;
    const admin = await db.connect();
    await admin.query(`create database ${name} template template0`);
    names.push(name);
    url.pathname = `/${name}`;
    const client = new pg.Client({ connectionString: url.href });
    clients.push(client);
    await client.connect();
    return { url: url.href, client };
  };
}
