import { afterEach, beforeEach, expect, test } from "vitest";
import { awake } from "../support/postgres/awake.js";
import { useDatabase } from "../support/postgres/database.js";
import { type Row, useSession } from "../support/postgres/session.js";
import { eventsSince, faults, recordAll, recordOf, versionOf } from "../support/relay/feed.js";

// What readers get of what is committed, but not recorded yet: a relay is awake, and takes a turn where record() stands.
const db = useDatabase();
const s = useSession(db);
const other = useSession(db);
const relay = useSession(db);

beforeEach(() => relay.run("truncate beings, intentions, sync.spaces, sync.changes, sync.notes", awake));

afterEach(async () => {
  for (const session of [s, other, relay]) await session.run("rollback"); // of a test that failed
  expect(await faults(relay)).toEqual([]);
});

const insert = (id: string, space: string) =>
  `insert into beings (id, location_id) values ('${id}', '${space}')`;
const notes = () => relay.value("select count(*)::int from sync.notes");

const record = () => recordAll(relay);

/** The events that a client at a version gets, as "type id@version"; null where only a snapshot will do. */
async function events(space: string, since: number): Promise<string[] | null> {
  const list = await eventsSince(s, space, since);
  for (const event of list ?? []) {
    const isRow = event.data !== undefined && event.data !== null;
    expect([event.type, isRow]).toEqual([event.type, !event.type.endsWith("-deleted")]);
    if (event.type.startsWith("intention"))
      expect(event.messageId).toMatch(isRow ? /^msg_[0-9]+$/ : /^(msg_[0-9]+)?$/);
  }
  return list?.map((e) => `${e.type} ${e.data?.id ?? e.id}@${e.version}`) ?? null;
}
const shown = async (space: string) => {
  const [row] = await s.query("select version::int, beings, intentions from sync.snapshot($1)", [space]);
  return { version: row?.version, ids: [row?.beings, row?.intentions].flat().map((e) => (e as Row).id) };
};

test("P7: a snapshot has what is not recorded yet, and events have it once it is", async () => {
  await s.run(insert("one", "one"));
  await record();
  await s.run(insert("a", "one"), "insert into intentions (id, location_id) values ('m', 'one')");
  expect(await shown("one")).toEqual({ version: 1, ids: ["one", "a", "m"] });
  expect([await events("one", 1), await events("one", 0)]).toEqual([[], ["being-created one@1"]]);
  await record();
  expect(await shown("one")).toEqual({ version: 2, ids: ["one", "a", "m"] });
  expect(await events("one", 1)).toEqual(["being-created a@2", "intention-created m@2"]);
});

test("P5: of a transaction that is not recorded, an answer has all rows, or none", async () => {
  await s.run(insert("a", "one"), insert("b", "one"));
  await record();
  await s.run("update beings set name = 'before' where id = 'a'");
  await record();
  await s.run("update beings set name = 'together'");
  expect(await events("one", 2)).toEqual([]);
  const torn = await eventsSince(s, "one", 1);
  expect(torn).toMatchObject([
    { type: "being-updated", version: 2, data: { id: "a", name: "together" } },
    { type: "being-updated", version: 2, data: { id: "b", name: "together" }, prev: 1 },
  ]);
  await s.run("begin", "delete from beings where id = 'a'", insert("c", "one"), insert("d", "two"), "commit");
  expect(await events("one", 1)).toEqual(["being-deleted a@2", "being-updated b@2", "being-created c@2"]);
  await record();
  expect(await events("one", 2)).toEqual(["being-deleted a@3", "being-updated b@3", "being-created c@3"]);
});

test("P5: what moves before it is recorded leaves and arrives as a whole", async () => {
  await s.run(insert("a", "one"), insert("b", "one"), insert("c", "two"));
  await record();
  await s.run("update beings set name = 'x' where id in ('a', 'c')");
  await record();
  await s.run("update beings set location_id = 'two' where location_id = 'one'");
  expect([await events("one", 1), await events("two", 1)]).toEqual([
    ["being-deleted a@2", "being-deleted b@2"],
    ["being-updated c@2"],
  ]);
  await s.run("update beings set name = 'y'");
  expect(await events("two", 1)).toEqual(["being-created a@2", "being-created b@2", "being-updated c@2"]);
  await record();
  expect([await events("one", 2), await events("two", 2)]).toEqual([
    ["being-deleted a@3", "being-deleted b@3"],
    ["being-created a@3", "being-created b@3", "being-updated c@3"],
  ]);
});

test("P3: what a reader has seen before it was recorded, and was deleted before that too, is deleted for him", async () => {
  await s.run(insert("one", "one"), "insert into intentions (id, location_id) values ('old', 'one')");
  await s.run("delete from intentions");
  await record();
  await s.run(
    insert("a", "one"),
    "insert into intentions (id, location_id) values ('m', 'one'), ('moved', 'one'), ('old', 'one')",
    "update beings set name = 'x' where id = 'one'",
  );
  expect((await shown("one")).ids).toEqual(["one", "a", "m", "moved", "old"]);
  await s.run(
    "begin",
    "delete from beings where id = 'a'",
    "delete from intentions where id <> 'moved'",
    "update intentions set location_id = 'two'",
    "commit",
  );
  const gone = (version: number) =>
    ["being-deleted a", "intention-deleted m", "intention-deleted moved", "intention-deleted old"].map(
      (line) => `${line}@${version}`,
    );
  expect(await events("one", 1)).toEqual([]);
  await record();
  const after = (await events("one", 1)) ?? [];
  expect([after[0], after[1], ...after.slice(2).sort()]).toEqual([
    "being-deleted a@2",
    "being-updated one@2",
    ...gone(2).slice(1),
  ]);
  expect(await events("two", 0)).toEqual(["intention-created moved@1"]);
});

test("P5: so it is where an answer has a row that waits", async () => {
  await s.run(insert("one", "one"));
  await record();
  await s.run(insert("a", "one"), "update beings set name = 'x'", "delete from beings where id = 'a'");
  expect(await events("one", 0)).toEqual(["being-deleted a@1", "being-created one@1"]);
});

test("P3: a TRUNCATE that is not recorded yet gives no events: a snapshot is to be taken", async () => {
  await s.run(insert("one", "one"), "insert into intentions (id, location_id) values ('m', 'one')");
  await record();
  await other.run("begin isolation level read committed", "truncate intentions");
  await relay.run("begin", "select from sync.spaces for update");
  await other.run("commit"); // it may not wait, and leaves it
  expect([await notes(), await versionOf(s, "one")]).toEqual([1, 1]);
  expect([await events("one", 0), await events("one", 1)]).toEqual([null, []]);
  await relay.run("rollback");
  await record();
  expect([await events("one", 1), await events("one", 2)]).toEqual([null, []]);
});

test("P3: TRUNCATE of what is not recorded yet is told to who has seen it", async () => {
  await s.run(insert("one", "one"));
  await record();
  await s.run("insert into intentions (id, location_id) values ('m', 'one')");
  expect((await shown("one")).ids).toEqual(["one", "m"]);
  await s.run("truncate intentions");
  expect(await versionOf(s, "one")).toBe(2);
  expect(await events("one", 1)).toBeNull();
});

test("a row that is gone without a trigger is deleted, in an event: it has no data that is null", async () => {
  await s.run(
    insert("a", "one"),
    "insert into intentions (id, location_id) values ('m', 'one'), ('n', 'one')",
  );
  await record();
  await s.run(
    "begin",
    "set local session_replication_role = replica",
    "delete from beings",
    "delete from intentions where id = 'm'",
    "update intentions set location_id = 'two'",
    "commit",
  );
  expect(await events("one", 0)).toEqual([
    "being-deleted a@1",
    "intention-deleted m@1",
    "intention-deleted n@1",
  ]);
  await s.run("select sync.reset()");
});

test("P4: what came and went in one transaction was never there", async () => {
  await s.run("begin", insert("brief", "one"), "delete from beings where id = 'brief'", "commit");
  expect(await notes()).toBe(2);
  await record();
  expect([await versionOf(s, "one"), await recordOf(s, "one"), await notes()]).toEqual([0, [], 0]);
});

test("P3: what has moved before it was recorded is created where it is, and nowhere else for who comes later", async () => {
  await s.run(insert("a", "one"), insert("b", "one"));
  await s.run(
    "update beings set location_id = 'two' where id = 'a'",
    "update beings set id = 'c' where id = 'b'",
  );
  await record();
  expect(await recordOf(s, "one")).toEqual(["being a 1..1 gone", "being b 1..1 gone", "being c 1..1"]);
  expect(await recordOf(s, "two")).toEqual(["being a 1..1"]);
});
