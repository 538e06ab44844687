import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { SpacefeedError } from "../../protocol/errors.js";
import { tellingWhoHolds } from "./migration-wait.js";
import { inSession } from "./session.js";

const SQL_DIR = fileURLToPath(new URL("../../../sql/", import.meta.url));
const MIGRATIONS_DIR = `${SQL_DIR}migrations/`;

/** Of whoever migrates; releases before this one take the same. */
const LOCK = 7_241_865_325_823_964;

/** One migration and whether this database has it. */
export interface MigrationStatus {
  name: string;
  applied: boolean;
}

/**
 * Brings the database to this version of the schema (`up`), or takes its last migration back (`down`).
 * The chapters are `create or replace` and are replayed after each `up`. It is one transaction: what cannot work leaves
 * nothing behind. Concurrent callers wait for one another; `tell` hears whom. Returns the migrations that were run.
 */
export async function migrate(
  databaseUrl: string,
  direction: "up" | "down",
  tell: (message: string) => void = () => {},
): Promise<string[]> {
  return inMigration(databaseUrl, async (client) => {
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    return tellingWhoHolds(databaseUrl, rows[0]?.pid as number, () => run(client, direction), tell);
  });
}

async function run(client: pg.Client, direction: "up" | "down"): Promise<string[]> {
  await client.query("select pg_advisory_lock($1)", [LOCK]);
  const [refusals = "", ...others] = await texts(SQL_DIR);
  const isUp = direction === "up";
  await client.query("begin");
  if (isUp) await client.query(refusals);
  const [names, noted] = [await namesIn(MIGRATIONS_DIR), await notedIn(client)];
  const due = isUp ? names.filter((name) => !noted.includes(name)) : noted.slice(-1);
  for (const name of due) await client.query((await stepOf(name))[direction]);
  if (isUp) await client.query(others.join(";\n"));
  await client.query("commit");
  return due;
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
  const steps = await Promise.all((await namesIn(MIGRATIONS_DIR)).map(stepOf));
  const [refusals, ...others] = await texts(SQL_DIR);
  return [
    "-- Spacefeed's schema, for a database that has none of it yet.\nbegin;",
    refusals,
    ...steps.map(({ up }) => up),
    ...others,
    "commit;\n",
  ].join("\n\n");
}

async function statusOf(client: pg.Client): Promise<MigrationStatus[]> {
  const [names, noted] = [await namesIn(MIGRATIONS_DIR), await notedIn(client)];
  return names.map((name) => ({ name, applied: noted.includes(name) }));
}

/** The names of the migrations that this database has, in order. */
async function notedIn(client: pg.Client): Promise<string[]> {
  const known = await client.query("select 1 where to_regclass('sync.migrations') is not null");
  if (!known.rowCount) return [];
  const { rows } = await client.query<{ name: string }>("select name from sync.migrations order by id");
  return rows.map(({ name }) => name);
}

/** What brings a migration in, and what takes it back; both note it. */
async function stepOf(name: string): Promise<{ up: string; down: string }> {
  const text = await readFile(`${MIGRATIONS_DIR}${name}.sql`, "utf8");
  const [up = "", down = ""] = text.split(/^-- Down Migration/m);
  return {
    up: `${up.trimEnd()}

-- Noted, so that a later \`spacefeed migrate up\` goes on from here.
create table if not exists sync.migrations (id serial primary key, name varchar(255) not null, run_on timestamp not null);
insert into sync.migrations (name, run_on) values ('${name}', now());`,
    down: `${down}\ndelete from sync.migrations where name = '${name}';`,
  };
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
