import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { eventsSince, faults, inShort } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);

const ODD = [
  "a'b",
  'a"b',
  "a\\b",
  "a\\nb\\t\\",
  "100%s %_",
  " leading and trailing ",
  "{a,b}",
  "a.b/c?d=e&f#g",
  "$1 $$",
  "(a,b)",
  "null",
  "-",
  "0",
  "Größe",
  "e\u0301",
  "日本語",
  "👩‍👩‍👧‍👦",
  "\u200b\u202e",
  "x".repeat(255),
  "🌍".repeat(255),
];

test.each(ODD)("P3: the ID %j of a being, a message, an owner and a space", async (id) => {
  await s.query("insert into beings (id, type) values ($1, 'space')", [id]);
  await s.query("insert into intentions (id, owner_id, location_id) values ($1, $1, $1)", [id]);
  await s.query("update intentions set state = 'failed' where id = $1", [id]);
  await s.query("delete from beings where id = $1", [id]);
  expect(inShort(await eventsSince(s, id, 1))).toEqual([`intention-created ${id}`, `being-deleted ${id}`]);
  expect((await eventsSince(s, id, 2))?.[0]?.data).toMatchObject({ id, ownerId: id, locationId: id });
  const version = await s.value("select version::int from sync.snapshot($1)", [id]);
  expect(version).toBe(4);
  const cursor = await s.value("select sync.current_cursor($1)", [id]);
  expect(await s.value("select sync.resolve_cursor($1, $2)::int", [id, cursor])).toBe(4);
});

test("P3: all of them in one transaction and one call are kept apart", async () => {
  await s.query(
    "insert into beings (id, location_id) select 'all-' || n, id from unnest($1::text[]) with ordinality as u (id, n)",
    [ODD],
  );
  const rows = await s.query(
    "select space_id, version::int, cardinality(events) as events from sync.changes_since($1, $2, 10)",
    [ODD, ODD.map(() => 4)],
  );
  expect(rows).toEqual(ODD.map((space_id) => ({ space_id, version: 5, events: 1 })));
  expect(await faults(s)).toEqual([]);
});

test.each([
  ["an empty ID", ""],
  ["a tab", "a\tb"],
  ["a line feed", "a\nb"],
  ["a trailing line feed", "a\n"],
  ["a carriage return", "a\rb"],
  ["an escape", "a\u001bb"],
  ["a delete", "a\u007fb"],
  ["256 characters", "x".repeat(256)],
])("P3: %s is refused in each ID", async (_, id) => {
  for (const insert of [
    "insert into beings (id) values ($1)",
    "insert into beings (owner_id) values ($1)",
    "insert into beings (location_id) values ($1)",
    "insert into intentions (id, location_id) values ($1, 'bad')",
    "insert into intentions (owner_id, location_id) values ($1, 'bad')",
    "insert into intentions (location_id) values ($1)",
  ]) {
    expect([insert, await s.refusal(insert, [id])]).toEqual([insert, "23514"]);
  }
});

test.each([
  ["23514", "intentions (location_id, content) values ('bad', '{}')"],
  ["23514", "intentions (location_id, content) values ('bad', 'null')"],
  ["23514", "intentions (location_id, content) values ('bad', '\"text\"')"],
  ["23514", "intentions (location_id, type) values ('bad', 'shout')"],
  ["23514", "intentions (location_id, state) values ('bad', 'done')"],
  ["23514", "intentions (location_id, created_at) values ('bad', 'infinity')"],
  ["23514", "intentions (location_id, modified_at) values ('bad', '-infinity')"],
  ["23514", "intentions (location_id, created_at) values ('bad', '0044-03-15 BC')"],
  ["23514", "intentions (location_id, created_at) values ('bad', '10000-01-01')"],
  ["23502", "intentions (location_id) values (null)"],
  ["23502", "intentions (location_id, content) values ('bad', null)"],
  ["23514", "beings (type) values ('ghost')"],
  ["23514", "beings (created_at) values ('infinity')"],
  ["23514", "beings (modified_at) values ('-infinity')"],
  ["23502", "beings (name) values (null)"],
  ["23502", "beings (metadata) values (null)"],
])("P3: %s refuses %s", async (code, values) => {
  expect(await s.refusal(`insert into ${values}`)).toBe(code);
  expect(await faults(s)).toEqual([]);
});
