import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { PG_MIGRATE_LOCK_ID, runner } from "node-pg-migrate";
import pg from "pg";
import { SpacefeedError } from "../../protocol/errors.js";
import { tellingWhoHolds } from "./migration-wait.js";
import { inSession } from "./session.js";

const SQL_DIR = fileURLToPath(new URL("../../../sql/", import.meta.url));
const MIGRATIONS_DIR = `${SQL_DIR}migrations/`;

/** The table, in schema sync, in which node-pg-migrate notes what it has run. */
const NOTES = "migrations";

/** One migration and whether this database has it. */
export interface MigrationStatus {
  name: string;
  applied: boolean;
}

/**
 * Brings the database to this version of the schema (`up`), or takes its last migration back (`down`).
 * The chapters are `create or replace` and are replayed after each run that ends with every migration
 * applied. It is one transaction: what cannot work leaves nothing behind. Concurrent callers wait for one another;
 * `tell` hears whom. Returns the names of the migrations that were run.
 */
export async function migrate(
  databaseUrl: string,
  direction: "up" | "down",
  tell: (message: string) => void = () => {},
): Promise<string[]> {
  return inMigration(databaseUrl, async (client) => {
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    const session = { url: databaseUrl, pid: rows[0]?.pid as number };
    return tellingWhoHolds(session, () => run(client, direction), tell);
  });
}

async function run(client: pg.Client, direction: "up" | "down"): Promise<string[]> {
  await client.query("select pg_advisory_lock($1)", [PG_MIGRATE_LOCK_ID]);
  const [refusals = "", ...others] = await texts(SQL_DIR);
  await client.query("begin");
  if (direction === "up") await client.query(refusals);
  const done = await runner({
    dbClient: inOneTransaction(client),
    dir: MIGRATIONS_DIR,
    direction,
    ...(direction === "down" && { count: 1 }),
    migrationsSchema: "sync",
    migrationsTable: NOTES,
    createMigrationsSchema: true,
    noLock: true,
    log: () => {},
  });
  if ((await statusOf(client)).every((migration) => migration.applied)) {
    await client.query(others.join(";\n"));
  }
  await client.query("commit");
  return done.map((migration) => migration.name);
}

/**
 * What a relay does at its start: `migrate up`, unless it may not and need not. Returns what was run, and null
 * where it may not, and every migration is there: then the DBA replays the chapters. Throws `config` where one is missing.
 */
export async function migrateOrLeave(
  databaseUrl: string,
  tell: (message: string) => void,
): Promise<string[] | null> {
  try {
    return await migrate(databaseUrl, "up", tell);
  } catch (error) {
    const cause = error instanceof SpacefeedError ? error.cause : undefined;
    // Its role may not, or nobody may now: the database is read-only.
    const mayNot = cause instanceof pg.DatabaseError && /^(42501|25006)$/.test(cause.code ?? "");
    if (!mayNot) throw error;
    const missing = (await migrationStatus(databaseUrl)).filter(({ applied }) => !applied);
    if (missing.length === 0) return null;
    throw new SpacefeedError(
      "config",
      `the schema is older than this relay, whose role may not change it: run "spacefeed migrate up" as its owner (${missing.map(({ name }) => name).join(", ")})`,
      { cause: error },
    );
  }
}

/** Every migration of this version of Spacefeed, in order. */
export function migrationStatus(databaseUrl: string): Promise<MigrationStatus[]> {
  return inMigration(databaseUrl, statusOf);
}

/**
 * The whole schema as one text, for `psql -f -`: migrations, chapters, and the notes that let a later
 * `migrate up` start from there.
 */
export async function schemaSql(): Promise<string> {
  const names = await namesIn(MIGRATIONS_DIR);
  const ups = (await texts(MIGRATIONS_DIR)).map((text) => text.split(/^-- Down Migration/m)[0]?.trimEnd());
  const [refusals, ...others] = await texts(SQL_DIR);
  return [
    "-- Spacefeed's schema, for a database that has none of it yet.\nbegin;",
    refusals,
    ...ups,
    `-- What node-pg-migrate would have noted: a later \`spacefeed migrate up\` starts from here.
create table sync.${NOTES} (id serial primary key, name varchar(255) not null, run_on timestamp not null);
insert into sync.${NOTES} (name, run_on) values ${names.map((name) => `('${name}', now())`).join(", ")};`,
    ...others,
    "commit;\n",
  ].join("\n\n");
}

/** The runner begins and ends transactions of its own: this client has one already. */
function inOneTransaction(client: pg.Client): pg.Client {
  const query = async (text: string, values?: unknown[]) =>
    /^(BEGIN|COMMIT);$/.test(text) ? { rows: [] } : client.query(text, values);
  return { query } as unknown as pg.Client;
}

async function statusOf(client: pg.Client): Promise<MigrationStatus[]> {
  const known = await client.query("select 1 where to_regclass($1) is not null", [`sync.${NOTES}`]);
  const noted = known.rowCount
    ? await client.query<{ name: string }>(`select name from sync.${NOTES}`)
    : { rows: [] };
  const names = await namesIn(MIGRATIONS_DIR);
  return names.map((name) => ({ name, applied: noted.rows.some((row) => row.name === name) }));
}

/** The SQL files of a directory, in order, without their ending. */
async function namesIn(directory: string): Promise<string[]> {
  const files = (await readdir(directory)).filter((file) => /^\d+_\w+\.sql$/.test(file));
  return files.map((file) => file.slice(0, -".sql".length)).sort();
}

async function texts(directory: string): Promise<string[]> {
  const names = await namesIn(directory);
  return Promise.all(names.map((name) => readFile(`${directory}${name}.sql`, "utf8")));
}

async function inMigration<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const settings = { connectionString: databaseUrl, application_name: "spacefeed migrate" };
  return inSession(settings, work).catch((error) => {
    const reason = error instanceof Error ? error.message : String(error);
    const hint = error instanceof pg.DatabaseError && error.hint ? ` ${error.hint}` : "";
    throw new SpacefeedError(
      "config",
      `the migration of the database failed: ${reason}.${hint} Nothing was changed; see "spacefeed migrate status".`,
      { cause: error },
    );
  });
}
