import { beforeEach, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { progress, Session, useSession } from "../support/postgres/session.js";
import { eventsSince, faults, inShort, recordOf, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);

beforeEach(async () => {
  await s.run("truncate beings, intentions", "truncate sync.spaces, sync.changes");
  await s.run("insert into beings (id, type) values ('room', 'space'), ('hall', 'space')");
  await s.run("insert into intentions (id, location_id) values ('m1', 'room'), ('m2', 'room')");
});

const floors = () => s.query("select space_id, version::int, floor::int from sync.spaces order by space_id");

test("P6: TRUNCATE of the messages raises version and floor of the spaces that had some", async () => {
  await s.run("truncate intentions");
  expect(await floors()).toEqual([
    { space_id: "hall", version: 1, floor: 0 },
    { space_id: "room", version: 3, floor: 3 },
  ]);
  expect(await eventsSince(s, "room", 2)).toBeNull();
  expect(await eventsSince(s, "room", 3)).toEqual([]);
  expect(await s.value("select intentions from sync.snapshot('room')")).toEqual([]);
  expect(await recordOf(s, "room")).toEqual(["being room 1..1"]);
  expect(await faults(s)).toEqual([]);
});

test("P6: TRUNCATE of both tables is one version, and life goes on above the floor", async () => {
  await s.run("truncate intentions, beings");
  expect(await floors()).toEqual([
    { space_id: "hall", version: 2, floor: 2 },
    { space_id: "room", version: 3, floor: 3 },
  ]);
  await s.run("insert into intentions (id, location_id) values ('m1', 'room')");
  expect(inShort(await eventsSince(s, "room", 3))).toEqual(["intention-created m1"]);
  expect(await eventsSince(s, "room", 2)).toBeNull();
  expect(await faults(s)).toEqual([]);
});

test("P1: TRUNCATE with other changes of its transaction is one version", async () => {
  await s.run(
    "begin",
    "insert into beings (id, location_id) values ('before', 'room')",
    "truncate intentions",
    "insert into intentions (id, location_id) values ('m1', 'room'), ('new', 'hall')",
    "commit",
  );
  expect(await floors()).toEqual([
    { space_id: "hall", version: 2, floor: 0 },
    { space_id: "room", version: 3, floor: 3 },
  ]);
  expect(await faults(s)).toEqual([]);
});

test("P1: TRUNCATE twice in a transaction is one version", async () => {
  await s.run("begin", "truncate intentions", "truncate beings", "truncate beings, intentions", "commit");
  expect(await floors()).toEqual([
    { space_id: "hall", version: 2, floor: 2 },
    { space_id: "room", version: 3, floor: 3 },
  ]);
});

test("P4: TRUNCATE that is rolled back leaves nothing", async () => {
  await s.undone(() => s.run("truncate intentions, beings"));
  expect(await floors()).toEqual([
    { space_id: "hall", version: 1, floor: 0 },
    { space_id: "room", version: 2, floor: 0 },
  ]);
  expect(await faults(s)).toEqual([]);
});

test("P6: TRUNCATE of empty tables raises nothing", async () => {
  await s.run("truncate intentions", "truncate intentions");
  expect(await versionOf(s, "room")).toBe(3);
});

test("P3: TRUNCATE forgets no deletion that happened before it", async () => {
  await s.run("delete from intentions");
  await s.run("truncate intentions");
  expect(await faults(s)).toEqual([]);
  await s.run("insert into beings (id, location_id) values ('next', 'room')");
  const events = await eventsSince(s, "room", 2);
  if (events !== null) {
    expect(inShort(events)).toEqual(["intention-deleted m1", "intention-deleted m2", "being-created next"]);
  }
});

test("P3: TRUNCATE in repeatable read loses nothing that was committed since its snapshot", async () => {
  const other = await Session.open(db);
  await s.run("begin isolation level repeatable read", "select 1");
  await other.run("insert into intentions (id, location_id) values ('unseen', 'attic')");
  const { error } = await s.outcome("truncate intentions");
  await s.run(error ? "rollback" : "commit");
  expect(await faults(s)).toEqual([]);
  expect(await eventsSince(s, "attic", 1)).toEqual(error ? [] : null);
});

test("P8: TRUNCATE of one table after the other does not deadlock with a writer", async () => {
  const [truncating, writer] = [await Session.open(db), await Session.open(db)];
  await writer.run("begin", "insert into intentions (id, location_id) values ('m3', 'room')");
  await truncating.run("begin", "truncate beings");
  const commit = writer.outcome("commit");
  await progress(s, commit, writer, truncating);
  const truncate = await truncating.outcome("truncate intentions");
  await truncating.run(truncate.error ? "rollback" : "commit");
  expect([truncate.error?.code, (await commit).error?.code]).toEqual([undefined, undefined]);
});

test("P8: a locked table holds up the snapshots that show it, and no others", async () => {
  const dba = await Session.open(db);
  await dba.run("begin", "lock table beings in access exclusive mode");
  expect(
    await s.value("select json_array_length(intentions) from sync.snapshot('room', 10, '{intentions}')"),
  ).toBe(2);
  expect(await s.refusal("select from sync.snapshot('room', 10)")).toBe("55P03");
  await dba.run("rollback");
});

test("P3: TRUNCATE and ALTER TABLE after writes to the same table, in one transaction, lose nothing", async () => {
  await s.run(
    "begin",
    "insert into intentions (id, location_id) values ('new', 'hall')",
    "update intentions set name = 'n' where id = 'm1'",
    "delete from intentions where id = 'm2'",
    "alter table intentions add column extra text",
    "truncate intentions",
    "insert into intentions (id, location_id) values ('m2', 'hall')",
    "alter table intentions drop column extra",
    "commit",
  );
  expect(await recordOf(s, "room")).toEqual(["being room 1..1"]);
  expect(await recordOf(s, "hall")).toEqual(["being hall 1..1", "intention m2 2..2"]);
  expect(await floors()).toEqual([
    { space_id: "hall", version: 2, floor: 0 },
    { space_id: "room", version: 3, floor: 3 },
  ]);
  expect(await faults(s)).toEqual([]);
});
