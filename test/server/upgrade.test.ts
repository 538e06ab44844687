import pg from "pg";
import { expect, test } from "vitest";
import { migrate, migrationStatus } from "../../src/server/migrate.js";
import { catalogOf } from "../support/catalog.js";
import { useDatabase } from "../support/database.js";
import { useEmptyDatabases } from "../support/empty-database.js";

const db = useDatabase();
const emptyDatabase = useEmptyDatabases(db);

// The functions and triggers that the version with nothing but 0001_tables had, and that `down` does not bring back.
const OLD = `
  create function sync._file(noted text) returns bigint language sql as 'select 0::bigint';
  create function sync._lost() returns void language sql as 'select';
  create function sync._stamp() returns trigger language plpgsql as 'begin return new; end';
  create trigger spacefeed_stamp before update on public.beings
    for each row when (old.name <> new.name) execute function sync._stamp();
  create trigger spacefeed_stamp before update on public.intentions
    for each row when (old.name <> new.name) execute function sync._stamp();
  create trigger spacefeed_name_update before update on public.intentions
    for each row when (old.message_id is distinct from new.message_id) execute function sync._name_message();
  create function sync._record() returns trigger language plpgsql as 'begin perform sync._file(null); return null; end';
  create or replace function sync._touch() returns trigger language plpgsql as 'begin return null; end';
  create constraint trigger spacefeed_2_record after insert or delete on public.beings
    deferrable initially deferred for each row execute function sync._record();
  create constraint trigger spacefeed_2_record after insert or delete on public.intentions
    deferrable initially deferred for each row execute function sync._record();
  create constraint trigger spacefeed_2_record_update after update on public.intentions
    deferrable initially deferred for each row when (old operator(pg_catalog.*<>) new) execute function sync._record();
  create trigger spacefeed_1_touch after insert on sync.truncated
    for each row execute function sync._touch('truncate');
  create constraint trigger spacefeed_2_record after insert on sync.truncated
    deferrable initially deferred for each row execute function sync._record()`;

const WRITES = [
  "insert into beings (id, type) values ('room', 'space')",
  "insert into intentions (id, location_id) select 'm' || n, 'room' from generate_series(1, 20) n",
  "update intentions set location_id = 'hall' where id = 'm1'",
  "delete from intentions where id = 'm2'",
];

async function run(client: pg.Client, ...statements: string[]): Promise<void> {
  for (const statement of statements) await client.query(statement);
}

/** A database with rows, as the version before left it. */
async function oldDatabase() {
  const { url, client } = await emptyDatabase();
  await migrate(url, "up");
  const fresh = await catalogOf(client);
  await run(client, ...WRITES);
  expect(await migrate(url, "down")).toEqual(["0002_notes"]);
  return { url, client, fresh };
}

const everything = async (client: pg.Client) =>
  (
    await client.query(
      "select to_jsonb(c) - 'deleted' as change from sync.changes c order by space_id, entity_id",
    )
  ).rows;
const faults = async (client: pg.Client) => (await client.query("select * from sync.verify()")).rows;

test("an upgrade from 0001 with rows and triggers of the old kind ends as a fresh install, with the same rows", async () => {
  const { url, client, fresh } = await oldDatabase();
  const before = await everything(client);
  expect(before).toHaveLength(22);
  await client.query(OLD);
  expect(await migrate(url, "up")).toEqual(["0002_notes"]);
  expect(await catalogOf(client)).toEqual(fresh);
  expect(await everything(client)).toEqual(before);
  await run(client, "delete from intentions where location_id = 'room'", ...WRITES.slice(1, 2).map(again));
  expect(await faults(client)).toEqual([]);
});

const again = (statement: string) => statement.replace("'m'", "'again-'");

test("P3: between the versions writers are refused with 40001, and nothing is written that is not filed", async () => {
  const { url, client } = await oldDatabase();
  for (const statement of [
    again(WRITES[1] ?? ""),
    "update intentions set name = 'x'",
    "delete from beings",
    "truncate intentions",
  ]) {
    await expect(client.query(statement)).rejects.toMatchObject({ code: "40001" });
  }
  await migrate(url, "up");
  await run(client, again(WRITES[1] ?? ""), "update intentions set name = 'x'", "delete from beings");
  expect(await faults(client)).toEqual([]);
});

test("P3: an upgrade waits for the writer that is open, and files what comes after it", async () => {
  const { url, client } = await oldDatabase();
  await client.query(OLD);
  const observer = new pg.Client({ connectionString: url });
  await observer.connect();
  await run(client, "begin", "insert into intentions (id, location_id) values ('open', 'nowhere')");
  const upgrade = migrate(url, "up");
  const waiting = `
    select from pg_locks
    where not granted and relation in ('public.beings'::regclass, 'public.intentions'::regclass)`;
  await expect
    .poll(async () => (await observer.query(waiting)).rowCount, { timeout: 20_000 })
    .toBeGreaterThan(0);
  expect((await migrationStatus(url)).map(({ applied }) => applied)).toEqual([true, false]);
  await run(client, "rollback");
  expect(await upgrade).toEqual(["0002_notes"]);
  await run(client, "insert into intentions (id, location_id) values ('after', 'room')");
  expect(await faults(client)).toEqual([]);
  await observer.end();
});
