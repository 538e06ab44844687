import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { eventsSince, inShort } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);

test("many spaces in one call, each with its own version, in the order of the call", async () => {
  await s.run("insert into beings (id, location_id) values ('a', 'one'), ('b', 'two'), ('c', 'three')");
  await s.run("insert into beings (id, location_id) values ('d', 'one')");
  const epoch = await s.value("select sync.epoch()");
  const rows = await s.query(
    "select space_id, since::int, version::int, cursor, cardinality(events) as n from sync.changes_since($1, $2, 100)",
    [
      ["two", "one", "unknown", "one", "three"],
      [0, 1, 0, 0, 1],
    ],
  );
  expect(rows).toEqual([
    { space_id: "two", since: 0, version: 1, cursor: `${epoch}.1`, n: 1 },
    { space_id: "one", since: 1, version: 2, cursor: `${epoch}.2`, n: 1 },
    { space_id: "unknown", since: 0, version: 0, cursor: `${epoch}.0`, n: 0 },
    { space_id: "one", since: 0, version: 2, cursor: `${epoch}.2`, n: 2 },
    { space_id: "three", since: 1, version: 1, cursor: `${epoch}.1`, n: 0 },
  ]);
});

test("no spaces, no rows", async () => {
  expect(await s.query("select * from sync.changes_since('{}', '{}', 100)")).toEqual([]);
});

test("P10: as many changes as max are events; one more is a gap, be it one version or many", async () => {
  await s.run("insert into beings (id, location_id) select 'g' || n, 'gap' from generate_series(1, 3) n");
  await s.run("insert into beings (id, location_id) values ('g4', 'gap')");
  await s.run("insert into beings (id, location_id) values ('g5', 'gap')");
  expect(await eventsSince(s, "gap", 0, 5)).toHaveLength(5);
  expect(await eventsSince(s, "gap", 0, 4)).toBeNull();
  expect(await eventsSince(s, "gap", 1, 2)).toHaveLength(2);
  expect(await eventsSince(s, "gap", 1, 1)).toBeNull();
  expect(await eventsSince(s, "gap", 2, 0)).toBeNull();
  expect(await eventsSince(s, "gap", 3, 0)).toEqual([]);
});

test("P10: many changes of one entity are one event", async () => {
  await s.run("insert into beings (id, location_id) values ('busy', 'busy')");
  for (let n = 0; n < 10; n++) await s.run(`update beings set name = '${n}' where id = 'busy'`);
  expect(inShort(await eventsSince(s, "busy", 0, 1))).toEqual(["being-created busy"]);
});

test("P11: a version above that of the space, or below its floor, is answered with null", async () => {
  await s.run("insert into beings (id, location_id) values ('f1', 'floor'), ('f2', 'floor')");
  await s.run("delete from beings where id = 'f1'");
  await s.run("update beings set name = 'x' where id = 'f2'");
  expect(await eventsSince(s, "floor", 4)).toBeNull();
  expect(await eventsSince(s, "floor", -1)).toBeNull();
  expect(await eventsSince(s, "never", 1)).toBeNull();
  await s.query("select sync.prune('0')");
  expect(await eventsSince(s, "floor", 1)).toBeNull();
  expect(inShort(await eventsSince(s, "floor", 2))).toEqual(["being-updated f2"]);
  expect(await eventsSince(s, "floor", 3)).toEqual([]);
});

test("P3: a version that is null is answered with null", async () => {
  const [row] = await s.query("select events from sync.changes_since('{floor}', '{null}', 10)");
  expect(row).toEqual({ events: null });
});

test("P5: what changed again later is told once, at its last version, with all that came to be since", async () => {
  await s.run("insert into beings (id, location_id) values ('w1', 'whole'), ('w2', 'whole')");
  await s.run("update beings set name = 'x' where location_id = 'whole'");
  await s.run("update beings set name = 'y' where id = 'w1'");
  expect((await eventsSince(s, "whole", 1))?.map((event) => [event.version, event.data?.id])).toEqual([
    [2, "w2"],
    [3, "w1"],
  ]);
});
