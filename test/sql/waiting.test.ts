import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { progress, Session, useSession } from "../support/postgres/session.js";
import { eventsSince, faults, inShort, recordOf, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const a = useSession(db);
const b = useSession(db);
const watch = useSession(db);

beforeAll(async () => {
  // Would a writer wait where none should, it is refused instead of hanging.
  for (const s of [a, b]) await s.run("set lock_timeout = '15s'");
});

const insert = (id: string, ...spaces: string[]) =>
  `insert into intentions (id, location_id) values ${spaces.map((space) => `('${id}-${space}', '${space}')`)}`;

test("P8: an open transaction in a space blocks no other writer of it", async () => {
  await a.run("begin", insert("a", "open"), "update intentions set name = 'x' where id = 'a-open'");
  await b.run(insert("b", "open"), "update intentions set name = 'y' where id = 'b-open'");
  await b.run("delete from intentions where id = 'b-open'");
  expect(await versionOf(watch, "open")).toBe(3);
  await a.run("commit");
  expect(await recordOf(watch, "open")).toEqual(["intention a-open 4..4", "intention b-open 1..3 gone"]);
});

test("P8: a big open transaction, also one that was rolled back in part, blocks no other writer", async () => {
  const many = "insert into beings (id, location_id) select 'p' || n, 'big' from generate_series(1, 100) n";
  await a.run("begin", "savepoint one", many, "rollback to savepoint one", many);
  await b.run("insert into beings (id, location_id) select 'q' || n, 'big' from generate_series(1, 100) n");
  expect(await versionOf(watch, "big")).toBe(1);
  await a.run("commit");
  expect(await versionOf(watch, "big")).toBe(2);
});

test("P2: who writes first but commits last has the higher version", async () => {
  await a.run("begin", insert("a", "order"));
  await b.run("begin", insert("b", "order"));
  await b.run("commit");
  expect(inShort(await eventsSince(watch, "order", 0))).toEqual(["intention-created b-order"]);
  await a.run("commit");
  expect(inShort(await eventsSince(watch, "order", 1))).toEqual(["intention-created a-order"]);
});

/** One turn of a relay: what it has left, and in which spaces it has failed. */
const recorded = async () => {
  const [row] = await watch.query("select filed::int, is_more, left_behind, failed from sync.record()");
  return row;
};
const whole = { filed: expect.any(Number), is_more: false, left_behind: [], failed: [] };

test("P2, P8: who meets a space that is being recorded does not wait, and is in the version after it", async () => {
  await a.run("begin", insert("a", "queue"), "set constraints all immediate");
  const commit = b.outcome(insert("b", "queue"));
  expect(await progress(watch, commit, b, a)).toBe("done");
  expect((await commit).error).toBeUndefined();
  expect(await versionOf(watch, "queue")).toBe(0);
  expect(await recorded()).toEqual({ ...whole, filed: 0, left_behind: ["queue"] });
  expect(await versionOf(watch, "queue"), "no version is seen before the one below it").toBe(0);
  await a.run("commit");
  expect(await recorded()).toEqual({ ...whole, filed: 1 });
  expect(await recordOf(watch, "queue")).toEqual(["intention a-queue 1..1", "intention b-queue 2..2"]);
  expect(await faults(watch)).toEqual([]);
});

test("P2: the version of a transaction that fails in its commit goes to the one that it has held up", async () => {
  await a.run("begin", insert("a", "failed"), "set constraints all immediate");
  await b.run(insert("b", "failed"));
  await a.run("rollback");
  expect(await recorded()).toEqual({ ...whole, filed: 1 });
  expect(await recordOf(watch, "failed")).toEqual(["intention b-failed 1..1"]);
});

test("P3: what was left in a space is recorded by the next commit in it, too", async () => {
  await a.run("begin", insert("a", "next"), "set constraints all immediate");
  await b.run(insert("b", "next"));
  await a.run("commit");
  expect(await recordOf(watch, "next")).toEqual(["intention a-next 1..1"]);
  await b.run(insert("c", "next"));
  expect(await recordOf(watch, "next")).toEqual([
    "intention a-next 1..1",
    "intention b-next 2..2",
    "intention c-next 2..2",
  ]);
});

test("P8: who makes a space that another one is making does not wait either", async () => {
  await a.run("begin", insert("a", "newborn"), "set constraints all immediate");
  const commit = b.outcome(insert("b", "newborn"));
  expect(await progress(watch, commit, b, a)).toBe("done");
  await a.run("rollback");
  expect(await recorded()).toEqual({ ...whole, filed: 1 });
  expect(await recordOf(watch, "newborn")).toEqual(["intention b-newborn 1..1"]);
});

/** Both transactions commit while somebody has the last space: the others are recorded at once, and it is left. */
async function atTheBrink(last: string) {
  const holder = await Session.open(db);
  await holder.run("begin", `select from sync.spaces where space_id = '${last}' for update`);
  const before = await versionOf(watch, last);
  const first = a.outcome("commit");
  expect(await progress(watch, first, a, holder)).toBe("done");
  const second = b.outcome("commit");
  expect(await progress(watch, second, b, holder)).toBe("done");
  expect([(await first).error?.code, (await second).error?.code]).toEqual([undefined, undefined]);
  expect(await versionOf(watch, last)).toBe(before);
  expect(await recorded()).toMatchObject({ filed: 0, left_behind: [last] });
  await holder.run("rollback");
  expect(await recorded()).toMatchObject(whole);
  expect(await versionOf(watch, last), "both in one version").toBe(before + 1);
  expect(await watch.value("select count(*)::int from sync.notes")).toBe(0);
  expect(await faults(watch)).toEqual([]);
}

test("P8: two transactions over the same two spaces in opposite order do not deadlock", async () => {
  await a.run(insert("0", "left", "right"));
  await a.run("begin", insert("a", "left"), insert("a", "right"));
  await b.run("begin", insert("b", "right"), insert("b", "left"));
  await atTheBrink("right");
  expect([await versionOf(watch, "left"), await versionOf(watch, "right")]).toEqual([3, 2]);
});

test("P8: moves in opposite directions do not deadlock", async () => {
  await a.run("insert into beings (id, location_id) values ('east', 'sea-1'), ('west', 'sea-2')");
  await a.run("begin", "update beings set location_id = 'sea-2' where id = 'east'");
  await b.run("begin", "update beings set location_id = 'sea-1' where id = 'west'");
  await atTheBrink("sea-2");
  expect(await recordOf(watch, "sea-1")).toEqual(["being east 1..2 gone", "being west 3..3"]);
  expect(await recordOf(watch, "sea-2")).toEqual(["being east 2..2", "being west 1..2 gone"]);
});

test("P8: no order of the spaces' names makes two transactions wait for one another", async () => {
  await a.run(insert("0", "B", "a", "Ä", "z"));
  await a.run("begin", insert("a", "z", "Ä", "a", "B"));
  await b.run("begin", insert("b", "a", "B", "Ä", "z"));
  await atTheBrink("Ä");
});

test("P8: a commit does not wait for a table that another one has locked, though a row of it waits to be recorded", async () => {
  await a.run(
    "begin isolation level repeatable read",
    "insert into beings (id, location_id) values ('x', 'hall')",
  );
  await a.run("commit", "begin", "truncate beings");
  await b.run("begin", "set local lock_timeout = 0", insert("b", "hall"), "commit");
  expect(await versionOf(watch, "hall")).toBe(0);
  await a.run("rollback");
  expect(await recorded()).toMatchObject({ left_behind: [], failed: [] });
  expect(await recordOf(watch, "hall")).toEqual(["being x 1..1", "intention b-hall 1..1"]);
  expect(await faults(watch)).toEqual([]);
});

test("P8: who changes much does not wait for a space for long either", async () => {
  await a.run(insert("0", "much"), "begin", "select from sync.spaces where space_id = 'much' for update");
  await b.run("insert into intentions (location_id) select 'much' from generate_series(1, 1500)");
  expect(await versionOf(watch, "much")).toBe(1);
  await a.run("rollback");
  expect(await recorded()).toEqual({ ...whole, filed: 1 });
  expect(await versionOf(watch, "much")).toBe(2);
  expect(await faults(watch)).toEqual([]);
});
