import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/database.js";
import { eventsSince, faults, inShort, recordOf, versionOf } from "../support/feed.js";
import { progress, Session } from "../support/session.js";

const db = useDatabase();
let a: Session;
let b: Session;
let watch: Session;

beforeAll(async () => {
  [a, b, watch] = [await Session.open(db), await Session.open(db), await Session.open(db)];
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

test("P2: no version is seen before the one below it", async () => {
  await a.run("begin", insert("a", "queue"), "set constraints all immediate");
  const commit = b.outcome(insert("b", "queue"));
  expect(await progress(watch, commit, b, a)).toBe("waits");
  expect(await versionOf(watch, "queue")).toBe(0);
  await a.run("commit");
  expect((await commit).error).toBeUndefined();
  expect(inShort(await eventsSince(watch, "queue", 0))).toEqual([
    "intention-created a-queue",
    "intention-created b-queue",
  ]);
});

test("P2: the version of a transaction that fails in its commit goes to the one that waited for it", async () => {
  await a.run("begin", insert("a", "failed"), "set constraints all immediate");
  const commit = b.outcome(insert("b", "failed"));
  expect(await progress(watch, commit, b, a)).toBe("waits");
  await a.run("rollback");
  expect((await commit).error).toBeUndefined();
  expect(await recordOf(watch, "failed")).toEqual(["intention b-failed 1..1"]);
});

/** Both transactions are held in the middle of their commits by somebody who has the last space, then let go. */
async function atTheBrink(last: string) {
  const holder = await Session.open(db);
  await holder.run("begin", `select from sync.spaces where space_id = '${last}' for update`);
  const first = a.outcome("commit");
  expect(await progress(watch, first, a, holder)).toBe("waits");
  const second = b.outcome("commit");
  expect(await progress(watch, second, b, a)).toBe("waits");
  await holder.run("rollback");
  expect([(await first).error?.code, (await second).error?.code]).toEqual([undefined, undefined]);
  expect(await faults(watch)).toEqual([]);
}

test("P8: two transactions over the same two spaces in opposite order do not deadlock", async () => {
  await a.run(insert("0", "left", "right"));
  await a.run("begin", insert("a", "left"), insert("a", "right"));
  await b.run("begin", insert("b", "right"), insert("b", "left"));
  await atTheBrink("right");
  expect([await versionOf(watch, "left"), await versionOf(watch, "right")]).toEqual([3, 3]);
});

test("P8: moves in opposite directions do not deadlock", async () => {
  await a.run("insert into beings (id, location_id) values ('east', 'sea-1'), ('west', 'sea-2')");
  await a.run("begin", "update beings set location_id = 'sea-2' where id = 'east'");
  await b.run("begin", "update beings set location_id = 'sea-1' where id = 'west'");
  await atTheBrink("sea-2");
  expect(await recordOf(watch, "sea-1")).toEqual(["being east 1..2 gone", "being west 3..3"]);
});

test("P8: spaces are locked in the same order whatever the collation makes of their names", async () => {
  await a.run(insert("0", "B", "a", "Ä", "z"));
  await a.run("begin", insert("a", "z", "Ä", "a", "B"));
  await b.run("begin", insert("b", "a", "B", "Ä", "z"));
  await atTheBrink("Ä");
});
