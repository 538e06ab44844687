import { beforeEach, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { progress, Session, useSession } from "../support/postgres/session.js";
import { eventsSince, faults, inShort, recordOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);
const other = useSession(db);

// In "old" five messages were deleted 5, 4, 3, 2 and 1 days ago, at the versions 2 to 6, and one is there.
beforeEach(async () => {
  await s.run("truncate beings, intentions", "truncate sync.spaces, sync.changes");
  await s.run("insert into intentions (id, location_id) select 'm' || n, 'old' from generate_series(1, 6) n");
  for (let n = 1; n <= 5; n++) {
    await s.run(
      `delete from intentions where id = 'm${n}'`,
      `update sync.changes set deleted_at = now() - interval '${6 - n} days' where entity_id = 'm${n}'`,
    );
  }
});

const prune = (keep: string, maxRows = 10_000) =>
  s.value("select sync.prune($1::interval, $2)::int", [keep, maxRows]);
const floor = () => s.value("select floor::int from sync.spaces where space_id = 'old'");

test("P11: prune drops the tombstones older than keep, and raises the floor to the last of them", async () => {
  expect(await prune("60 hours")).toBe(3);
  expect(await floor()).toBe(4);
  expect(await recordOf(s, "old")).toEqual([
    "intention m4 1..5 gone",
    "intention m5 1..6 gone",
    "intention m6 1..1",
  ]);
  expect(await eventsSince(s, "old", 3)).toBeNull();
  expect(inShort(await eventsSince(s, "old", 4))).toEqual(["intention-deleted m4", "intention-deleted m5"]);
  expect(await prune("60 hours")).toBe(0);
  expect(await faults(s)).toEqual([]);
});

test("P11: with keep 0 every tombstone goes, and what is there stays", async () => {
  expect(await prune("0")).toBe(5);
  expect(await recordOf(s, "old")).toEqual(["intention m6 1..1"]);
  expect([await floor(), await eventsSince(s, "old", 6)]).toEqual([6, []]);
  expect(await faults(s)).toEqual([]);
});

test("prune drops at most max_rows, the oldest first", async () => {
  expect(await prune("0", 2)).toBe(2);
  expect(await floor()).toBe(3);
  expect(await prune("0", 2)).toBe(2);
  expect(await prune("0", 2)).toBe(1);
  expect(await prune("0", 2)).toBe(0);
});

test("prune touches only the spaces that have such tombstones", async () => {
  await s.run("insert into beings (id, location_id) values ('a', 'young')", "delete from beings");
  await prune("1 hour");
  expect(await s.query("select space_id, floor::int from sync.spaces order by space_id")).toEqual([
    { space_id: "old", floor: 6 },
    { space_id: "young", floor: 0 },
  ]);
});

test("prune refuses a negative keep, and a max_rows below 1", async () => {
  for (const call of ["'-1 second'", "'0', 0", "'0', -5"]) {
    expect(await s.refusal(`select sync.prune(${call})`)).toBe("22023");
  }
});

test("P8: prune waits for no space that another session has, and does the others", async () => {
  await s.run(
    "insert into intentions (id, location_id) values ('n', 'other')",
    "delete from intentions where id = 'n'",
  );
  await other.run(
    "begin",
    "insert into intentions (id, location_id) values ('m5', 'old')",
    "set constraints all immediate",
  );
  const pruning = s.outcome("select sync.prune('0')::int as n");
  const watch = await Session.open(db);
  expect(await progress(watch, pruning, s, other)).toBe("done");
  expect((await pruning).rows).toEqual([{ n: 1 }]);
  await other.run("commit");
  expect(await prune("0")).toBe(4);
  expect(await recordOf(s, "old")).toContain("intention m5 7..7");
  expect([await floor(), inShort(await eventsSince(s, "old", 6))]).toEqual([5, ["intention-created m5"]]);
  expect(await faults(s)).toEqual([]);
});

test("P3: prune spares a tombstone that comes to life after its look", async () => {
  await other.run("begin", "update sync.changes set deleted_at = null where entity_id = 'm5'");
  const pruning = s.outcome("select sync.prune('0')::int as n");
  const watch = await Session.open(db);
  expect(await progress(watch, pruning, s, other)).toBe("waits");
  await other.run("commit");
  expect((await pruning).rows).toEqual([{ n: 4 }]);
  expect([await floor(), await recordOf(s, "old")]).toEqual([5, ["intention m5 1..6", "intention m6 1..1"]]);
});

test("of two who prune at a time, neither waits for the other, and each tombstone goes once", async () => {
  await s.run("begin");
  expect(await prune("0", 2)).toBe(2);
  const second = other.outcome("select sync.prune('0', 2)::int as n");
  const watch = await Session.open(db);
  expect(await progress(watch, second, other, s)).toBe("done");
  expect((await second).rows).toEqual([{ n: 0 }]);
  await s.run("commit");
  expect(await prune("0")).toBe(3);
});

test("P8: a writer whose row prune drops does not wait for it, and its row is created anew by the next recording", async () => {
  await s.run("begin");
  await prune("0");
  const writing = other.outcome("insert into intentions (id, location_id) values ('m1', 'old')");
  const watch = await Session.open(db);
  expect(await progress(watch, writing, other, s)).toBe("done");
  expect((await writing).error).toBeUndefined();
  await s.run("commit");
  expect(await recordOf(s, "old")).toEqual(["intention m6 1..1"]);
  expect(await s.value("select filed::int from sync.record()")).toBe(1);
  expect(await recordOf(s, "old")).toEqual(["intention m1 7..7", "intention m6 1..1"]);
  expect(inShort(await eventsSince(s, "old", 6))).toEqual(["intention-created m1"]);
  expect(await faults(s)).toEqual([]);
});
