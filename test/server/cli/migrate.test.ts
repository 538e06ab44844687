import pg from "pg";
import { expect, test } from "vitest";
import { catalogOf } from "../../support/postgres/catalog.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useEmptyDatabases } from "../../support/postgres/empty-database.js";
import { useCommand } from "../../support/process/command.js";

const db = useDatabase();
const emptyDatabase = useEmptyDatabases(db);
const spacefeed = useCommand();
const NAMES = ["0001_spacefeed", "0002_tracked", "0003_reached"];
const UP = `up: ${NAMES.join(", ")}\n`;
const status = (word: string) => NAMES.map((name) => `${word}  ${name}\n`).join("");

/** `spacefeed migrate <action>`: what it prints. */
async function migrate(action: string, url: string): Promise<string> {
  const { code, stdout, stderr } = await spacefeed(["migrate", action], { DATABASE_URL: url }).end;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

test("what `spacefeed sql` prints makes the same schema as `migrate up`, which then has nothing to do", async () => {
  const [piped, migrated] = [await emptyDatabase(), await emptyDatabase()];
  const { code, stdout } = await spacefeed(["sql"]).end;
  expect(code).toBe(0);
  await piped.client.query(stdout);
  expect(await migrate("up", migrated.url)).toBe(UP);
  const catalog = await catalogOf(migrated.client);
  expect(catalog.length).toBeGreaterThan(100);
  expect(await catalogOf(piped.client)).toEqual(catalog);
  expect(await migrate("status", piped.url)).toBe(status("applied"));
  for (const { url, client } of [piped, migrated]) {
    expect(await migrate("up", url)).toBe("up: nothing to do\n");
    expect(await catalogOf(client)).toEqual(catalog);
  }
});

test("`spacefeed sql` installs nothing where there is a schema already", async () => {
  const { client } = await emptyDatabase();
  await client.query("create table public.beings (id text)");
  const { stdout } = await spacefeed(["sql"]).end;
  await expect(client.query(stdout)).rejects.toThrow(/"beings" already exists/);
  await client.query("rollback");
  expect((await client.query("select to_regnamespace('sync') as sync")).rows).toEqual([{ sync: null }]);
});

test("down leaves nothing but the migrations table, and up works again", async () => {
  const { url, client } = await emptyDatabase();
  expect(await migrate("status", url)).toBe(status("missing"));
  await migrate("up", url);
  const catalog = await catalogOf(client);
  await client.query("insert into public.beings (id, type) values ('s', 'space')");
  for (const name of NAMES.toReversed()) expect(await migrate("down", url)).toBe(`down: ${name}\n`);
  expect(await migrate("status", url)).toBe(status("missing"));
  const { rows } = await client.query<{ name: string }>(`
    select relname as name from pg_class where relnamespace in ('sync'::regnamespace, 'public'::regnamespace)
      and relkind not in ('i', 'S')
    union all select proname from pg_proc where pronamespace in ('sync'::regnamespace, 'public'::regnamespace)
    union all select typname from pg_type where typnamespace = 'sync'::regnamespace and typtype <> 'c' and typelem = 0`);
  expect(rows.map((row) => row.name)).toEqual(["migrations"]);
  expect(await migrate("down", url)).toBe("down: nothing to do\n");
  expect(await migrate("up", url)).toBe(UP);
  expect(await catalogOf(client)).toEqual(catalog);
});

test("a `migrate up` that has nothing to do waits for no reader or writer of any table or view", async () => {
  const { url, client } = await emptyDatabase();
  await migrate("up", url);
  await client.query("begin");
  await client.query("insert into public.beings (id, type) values ('s', 'space')");
  await client.query("insert into public.intentions (location_id) values ('s')");
  await client.query("delete from public.intentions");
  await client.query("set constraints all immediate");
  await client.query("select * from sync.changes, sync.instance, sync.migrations, sync.notes");
  await client.query("select sync.relay_seen(), sync.record()");
  expect(await migrate("up", url)).toBe("up: nothing to do\n");
  await client.query("rollback");
});

test("a `migrate up` that has nothing to do does not wait for who looks at sync.status", async () => {
  const { url, client } = await emptyDatabase();
  await migrate("up", url);
  await client.query("begin");
  await client.query("select * from sync.status");
  const up = spacefeed(["migrate", "up"], { DATABASE_URL: url });
  const waits = async () => {
    const { rows } = await observer.query(
      "select 1 from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0 and datname = current_database()",
    );
    return rows.length > 0;
  };
  const observer = new pg.Client({ connectionString: url });
  await observer.connect();
  let ended = false;
  void up.end.then(() => {
    ended = true;
  });
  let waited = false;
  await expect
    .poll(
      async () => {
        waited = await waits();
        return waited || ended;
      },
      { timeout: 20_000 },
    )
    .toBe(true);
  await observer.end();
  await client.query("rollback");
  expect(await up.end).toMatchObject({ code: 0 });
  expect(waited).toBe(false);
});

test("several `migrate up` at once on an empty database all succeed, and one of them does it", async () => {
  const { url, client } = await emptyDatabase();
  const done = await Promise.all([1, 2, 3].map(() => migrate("up", url)));
  expect(done.sort()).toEqual([UP, "up: nothing to do\n", "up: nothing to do\n"]);
  expect((await client.query("select count(*)::int as n from sync.migrations")).rows).toEqual([
    { n: NAMES.length },
  ]);
});

test("a migration that cannot work is one line with the reason, and changes nothing", async () => {
  const { url, client } = await emptyDatabase();
  await client.query("create table public.beings (id text)");
  const { code, stderr } = await spacefeed(["migrate"], { DATABASE_URL: url }).end;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^spacefeed: .*"beings" already exists.*\n$/);
  expect(await migrate("status", url)).toBe(status("missing"));
  await client.query("drop table public.beings");
  expect(await migrate("up", url)).toBe(UP);
});

test("our two tables may go, once nobody tracks them", async () => {
  const { url, client } = await emptyDatabase();
  await migrate("up", url);
  await client.query("select sync.untrack('being'), sync.untrack('intention')");
  await client.query("drop table public.beings, public.intentions");
  expect(await migrate("up", url)).toBe("up: nothing to do\n");
  expect((await client.query("select * from sync.warnings()")).rows).toEqual([]);
  expect((await client.query("select sync.reset() ~ '^[0-9a-f]{16}$' as is_epoch")).rows).toEqual([
    { is_epoch: true },
  ]);
});
