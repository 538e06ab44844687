import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { migrate } from "../../src/server/postgres/migrate.js";
import { catalogOf } from "../support/postgres/catalog.js";
import { useDatabase } from "../support/postgres/database.js";
import { useEmptyDatabases } from "../support/postgres/empty-database.js";
import { urlAs, useRoles } from "../support/postgres/roles.js";
import { post, startTestRelay } from "../support/relay/relay.js";

const [login] = useRoles("rolling") as [string];
const db = useDatabase();
const emptyDatabase = useEmptyDatabases(db);
/** What `spacefeed sql` of that version printed. */
const RELEASED = new URL("released/0.1.0.sql", import.meta.url);

async function released() {
  const empty = await emptyDatabase();
  await empty.client.query(await readFile(RELEASED, "utf8"));
  const query = async (text: string) => (await empty.client.query(text)).rows as Record<string, unknown>[];
  return { ...empty, query };
}

test("a database of the last release, migrated, has the schema of a new one", async () => {
  const [old, fresh] = [await released(), await emptyDatabase()];
  expect(await migrate(old.url, "up")).toEqual(["0002_tracked", "0003_reached"]);
  await migrate(fresh.url, "up");
  expect(await catalogOf(old.client)).toEqual(await catalogOf(fresh.client));
});

test("what was in it goes on: versions, cursors, tombstones and what waits to be recorded", async () => {
  const { url, query } = await released();
  await query("insert into public.beings (id, type) values ('hall', 'space')");
  await query("insert into public.intentions (id, location_id) values ('kept', 'hall'), ('gone', 'hall')");
  await query("delete from public.intentions where id = 'gone'");
  const [before] = await query("select sync.current_cursor('hall') as cursor");
  await query("select sync.relay_seen(true)"); // a relay is awake: what comes now waits
  await query("insert into public.intentions (id, location_id) values ('waits', 'hall')");

  await migrate(url, "up");
  expect(await query("select * from sync.verify()")).toEqual([]);
  await query("select sync.record()");
  const [since] = await query(
    `select events from sync.changes_since('{hall}', array[split_part('${before?.cursor}', '.', 2)::bigint], 100)`,
  );
  const events = since?.events as string[] | undefined;
  expect(events?.map((event) => JSON.parse(event))).toMatchObject([
    { type: "intention-created", version: 4, prev: 3, data: { id: "waits" } },
  ]);
  expect(await query("select sync.epoch() as epoch")).toEqual([
    { epoch: String(before?.cursor).split(".")[0] },
  ]);
  expect(await query("select label from sync.changes where entity_id = 'gone'")).toEqual([
    { label: "msg_2" },
  ]);
  expect(await query("select * from sync.warnings()")).toEqual([]);
  await query("insert into public.intentions (location_id) values ('hall')");
  expect(await query("select message_id from public.intentions order by created_at desc limit 1")).toEqual([
    { message_id: "msg_4" },
  ]);
});

test("what a DBA has replaced stays, and leaves what it named", async () => {
  const { url, query } = await released();
  await query(`create or replace function sync.being_json(being public.beings) returns json language sql stable
    set search_path = pg_catalog, pg_temp as $$ select json_build_object('id', being.id, 'name', upper(being.name)) $$`);
  await query(`create or replace function sync.authorize(claims jsonb, action text, space_id text, entity jsonb)
    returns boolean language sql stable set search_path = pg_catalog, pg_temp as $$ select action = 'read' $$`);
  await migrate(url, "up");
  await query("insert into public.beings (id, type, name) values ('hall', 'space', 'the hall')");
  const [state] = await query("select state from sync.state('hall', 10)");
  expect(JSON.parse(state?.state as string).beings).toEqual([{ id: "hall", name: "THE HALL" }]);
  await expect(query("select sync.write(null, 'create', 'being', 'x', null, '{}')")).rejects.toThrow(
    "not allowed",
  );
});

test("a relay of the last release goes on with the new schema: what it calls is there, and answers as before", async () => {
  const { url, query } = await released();
  await migrate(url, "up");
  await query("insert into public.beings (id, type) values ('hall', 'space')");
  const [event] = await query("select * from sync.state('hall', 100, null)");
  expect(JSON.parse(event?.state as string)).toMatchObject({ type: "space-sync", lastMessageId: null });
  const [state] = await query("select * from sync.state('hall', 100, '{beings,intentions}')");
  expect(JSON.parse(state?.state as string)).not.toHaveProperty("type");
  const columns =
    "space_id, since, cursor, array_to_string(events, chr(30)) as events, coalesce(types, '{}') as types, change";
  expect(await query(`select ${columns} from sync.changes_since('{hall}', '{0}', 100)`)).toMatchObject([
    { since: "0" },
  ]);
  for (const call of [
    "open('{null}', '{hall}', '{null}')",
    "read(null, 'being', 'hall', null, null, null)",
    "reach('{hall}')",
    "record(null, '{}', 10)",
    "relay_seen(null)",
    "lead(true)",
    "lead(false)", // or the server ends the session, which is idle in the next tests
    "notify_queue()",
    "warnings()",
    "epoch()",
  ]) {
    await query(`select * from sync.${call}`);
  }
  await query(
    `select data, in_space, version from sync.write(null, 'create', 'intention', 'i', null, '{"locationId":"hall"}', '{}')`,
  );
});

test("a new relay that may not migrate refuses the schema of the last release, and serves it once it is migrated", async () => {
  const { url, query } = await released();
  await query(`grant spacefeed_relay to ${login}`);
  const start = () => startTestRelay({ ...db, url: urlAs(url, login) });
  await expect(start()).rejects.toMatchObject({
    code: "config",
    message: `the schema is older than this relay, whose role may not change it: run "spacefeed migrate up" as its owner (0002_tracked, 0003_reached)`,
  });
  await migrate(url, "up");
  const relay = await start();
  try {
    const { status } = await post(relay, "beings", {
      action: "create",
      beingId: "hall",
      data: { type: "space" },
    });
    expect(status).toBe(200);
  } finally {
    await relay.close();
  }
});

test("a step back is a step back, and is refused while another table is tracked", async () => {
  const { url, query } = await released();
  await migrate(url, "up");
  await query("create table public.tasks (id text primary key, project text)");
  await query("select sync.track('public.tasks', space => 'project', columns => '{id}', name => 'task')");
  expect(await migrate(url, "down")).toEqual(["0003_reached"]);
  await expect(migrate(url, "down")).rejects.toThrow(/other tables are tracked.*sync\.untrack\('task'\)/s);
  await query("select sync.untrack('task')");
  expect(await migrate(url, "down")).toEqual(["0002_tracked"]);
  expect(await query("select to_regclass('sync.tracked') as it")).toEqual([{ it: null }]);
});
