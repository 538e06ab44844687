import { beforeEach, expect, test } from "vitest";
import { awake } from "../support/postgres/awake.js";
import { useDatabase } from "../support/postgres/database.js";
import { progress, Session, useSession } from "../support/postgres/session.js";
import { eventsSince, faults, inShort, recordAll, recordOf, versionOf } from "../support/relay/feed.js";
import { startTestRelay } from "../support/relay/relay.js";
import { openStream, streamUrl } from "../support/relay/stream.js";

const db = useDatabase();
const s = useSession(db);
const writer = useSession(db);
const lock = useSession(db);

beforeEach(async () => {
  await s.run("select sync.relay_seen(false)");
  await s.run("truncate beings, intentions", "truncate sync.spaces, sync.changes, sync.notes");
  await s.run(
    "insert into beings (id, location_id) values ('a', 'hall'), ('b', 'hall'), ('y', 'yard')",
    "delete from beings where id = 'b'",
  );
});

const rebuild = (spaceId = "hall") => s.value("select sync.rebuild($1)::int", [spaceId]);
const floorOf = (spaceId: string) =>
  s.value("select floor::int from sync.spaces where space_id = $1", [spaceId]);
const add = (id: string, spaceId = "hall") =>
  `insert into beings (id, location_id) values ('${id}', '${spaceId}')`;

/** Writes behind the back of the triggers. */
const unseen = (...statements: string[]) =>
  s.run("set session_replication_role = replica", ...statements, "set session_replication_role = origin");

/** Every reader of the space, from any version, gets what the table has, and nothing waits. */
async function expectWhole(...ids: string[]): Promise<void> {
  await recordAll(s);
  expect(await faults(s)).toEqual([]);
  const there = (await recordOf(s, "hall")).filter((line) => !String(line).endsWith("gone"));
  expect(there.map((line) => String(line).split(" ")[1])).toEqual(ids);
}

test("rebuild repairs a space that is broken, and no other one", async () => {
  await unseen(add("x"), "delete from beings where id = 'a'", add("z", "yard"), add("n", "new"));
  expect(await rebuild()).toBe(1);
  expect(await recordOf(s, "hall")).toEqual(["being x 3..3"]);
  expect([await versionOf(s, "hall"), await floorOf("hall")]).toEqual([3, 3]);
  expect(await recordOf(s, "yard")).toEqual(["being y 1..1"]);
  expect((await faults(s)).map(({ space_id }) => space_id)).toEqual(["new", "yard"]);
  expect(await rebuild("yard")).toBe(2);
  expect(await rebuild("new")).toBe(1);
  expect(await faults(s)).toEqual([]);
});

test("rebuild of a space that nobody knows makes none", async () => {
  expect(await rebuild("nowhere")).toBe(0);
  expect(await s.value("select count(*)::int from sync.spaces where space_id = 'nowhere'")).toBe(0);
});

test("rebuild refuses a snapshot that is too old", async () => {
  await s.run("begin isolation level repeatable read");
  expect(await s.refusal("select sync.rebuild('hall')")).toBe("0A000");
  await s.run("rollback");
});

test("P8: rebuild waits for no writer, whose write comes after it", async () => {
  await writer.run("begin", add("w"), "update beings set name = 'A' where id = 'a'");
  const rebuilding = s.outcome("select sync.rebuild('hall')::int as n");
  const watch = await Session.open(db);
  expect(await progress(watch, rebuilding, s, writer)).toBe("done");
  expect((await rebuilding).rows).toEqual([{ n: 1 }]);
  await writer.run("commit");
  expect(inShort(await eventsSince(s, "hall", 3))).toEqual(["being-updated a", "being-created w"]);
  await expectWhole("a", "w");
});

test("P8: no writer waits for rebuild, and each write is recorded after it", async () => {
  await s.run("begin");
  await rebuild();
  const watch = await Session.open(db);
  for (const write of [
    add("w"),
    "update beings set name = 'A' where id = 'a'",
    "delete from beings where id = 'a'",
    add("v", "yard"),
  ]) {
    const writing = writer.outcome(write);
    expect(await progress(watch, writing, writer, s)).toBe("done");
    expect((await writing).error).toBeUndefined();
  }
  expect(await versionOf(watch, "yard")).toBe(2);
  await s.run("commit");
  expect(await versionOf(s, "hall")).toBe(3);
  await expectWhole("w");
  expect(inShort(await eventsSince(s, "hall", 3))).toEqual(["being-deleted a", "being-created w"]);
});

// The recorder is stopped between the steps by a trigger that takes a lock.
for (const [step, fires] of [
  ["its notes are gone and before its changes are", "delete on sync.notes"],
  ["its changes are gone and before the tables are read", "delete on sync.changes"],
  ["the tables are read", "insert on sync.changes"],
] as const) {
  for (const isAwake of [false, true]) {
    test(`P3: what is committed after ${step} is not lost${isAwake ? ", while a relay is awake" : ""}`, async () => {
      await s.run(
        `create function pause() returns trigger language plpgsql as $$
         begin perform pg_advisory_xact_lock(7); return null; end $$`,
        `create trigger pause after ${fires} for each row execute function pause()`,
      );
      await s.run(awake);
      await s.run(add("noted"), "delete from beings where id = 'y'");
      if (!isAwake) await s.run("select sync.relay_seen(false)");
      await lock.run("begin", "select pg_advisory_xact_lock(7)");
      const rebuilding = s.outcome("select sync.rebuild('hall')::int as n");
      const watch = await Session.open(db);
      expect(await progress(watch, rebuilding, s, lock)).toBe("waits");

      for (const write of [
        add("w"),
        "update beings set name = 'N' where id = 'noted'",
        "delete from beings where id = 'a'",
      ]) {
        const writing = writer.outcome(write);
        expect(await progress(watch, writing, writer, s)).toBe("done");
        expect((await writing).error).toBeUndefined();
      }
      await lock.run("commit");
      expect((await rebuilding).rows).toEqual([{ n: 2 }]);
      await s.run("drop function pause() cascade");
      await expectWhole("noted", "w");
      expect(await recordOf(s, "yard")).toEqual(["being y 1..2 gone"]);
    });
  }
}

test("P3: rebuild waits for who records the space just then, and has what that one has recorded", async () => {
  await writer.run("begin", add("w"), "set constraints all immediate");
  const rebuilding = s.outcome("select sync.rebuild('hall')::int as n");
  const watch = await Session.open(db);
  expect(await progress(watch, rebuilding, s, writer)).toBe("waits");
  await writer.run("commit");
  expect((await rebuilding).rows).toEqual([{ n: 2 }]);
  await expectWhole("a", "w");
});

test("P3: a TRUNCATE that is not committed yet holds rebuild up, which then finds the table empty", async () => {
  await writer.run("begin", "truncate beings");
  const rebuilding = s.outcome("select sync.rebuild('hall')::int as n");
  const watch = await Session.open(db);
  expect(await progress(watch, rebuilding, s, writer)).toBe("waits");
  await writer.run("commit");
  expect((await rebuilding).rows).toEqual([{ n: 0 }]);
  await expectWhole();
});

test("after rebuild the readers of the space take a snapshot, and others see nothing", async () => {
  const relay = await startTestRelay(db);
  const streams = await Promise.all(
    ["hall", "yard"].map((spaceId) => openStream(streamUrl(relay.url, spaceId))),
  );
  const [hall, yard] = streams as [(typeof streams)[0], (typeof streams)[0]];
  await Promise.all(streams.map((stream) => stream.until((events) => events.length === 1)));
  await unseen(add("x"));
  await rebuild();
  const events = await hall.until((all) => all.length === 2);
  expect(events[1]).toMatchObject({ type: "space-sync", beings: [{ id: "a" }, { id: "x" }] });
  await s.run(add("more", "yard"));
  expect((await yard.until((all) => all.length === 2)).map(({ type }) => type)).toEqual([
    "space-sync",
    "being-created",
  ]);
  for (const stream of streams) stream.close();
  await relay.close();
});
