import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { eventsSince, faults, inShort, recordOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);

test("P3: an entity has one row in sync.changes, however often it changes", async () => {
  await s.run("insert into intentions (id, location_id) values ('often', 'often')");
  for (let n = 1; n <= 20; n++) await s.run(`update intentions set content = '[${n}]' where id = 'often'`);
  expect(await recordOf(s, "often")).toEqual(["intention often 1..21"]);
  expect(inShort(await eventsSince(s, "often", 0))).toEqual(["intention-created often"]);
  expect(inShort(await eventsSince(s, "often", 1))).toEqual(["intention-updated often"]);
});

test("P3: a deletion leaves a tombstone with the message ID", async () => {
  await s.run("insert into intentions (id, location_id) values ('tomb-m', 'tomb')");
  await s.run("insert into beings (id, location_id) values ('tomb-b', 'tomb')");
  const messageId = await s.value("delete from intentions where id = 'tomb-m' returning message_id");
  await s.run("delete from beings where id = 'tomb-b'");
  expect(await recordOf(s, "tomb")).toEqual(["being tomb-b 2..4 gone", "intention tomb-m 1..3 gone"]);
  expect(await s.value("select label from sync.changes where entity_id = 'tomb-m'")).toBe(messageId);
  expect(inShort(await eventsSince(s, "tomb", 2))).toEqual([
    "intention-deleted tomb-m",
    "being-deleted tomb-b",
  ]);
});

test("P3: what is deleted and created again is created, with its new message ID", async () => {
  await s.run("insert into intentions (id, location_id) values ('again', 'again')");
  await s.run("delete from intentions where id = 'again'");
  await s.run("insert into intentions (id, location_id) values ('again', 'again')");
  expect(await recordOf(s, "again")).toEqual(["intention again 3..3"]);
  const [event] = (await eventsSince(s, "again", 1)) ?? [];
  expect(event).toMatchObject({
    type: "intention-created",
    messageId: await s.value("select message_id from intentions where id = 'again'"),
  });
});

test("P3: deleted and created again in one transaction is one change, with the new message ID", async () => {
  await s.run("insert into intentions (id, location_id) values ('swap', 'swap')");
  await s.run(
    "begin",
    "delete from intentions where id = 'swap'",
    "insert into intentions (id, location_id, name) values ('swap', 'swap', 'second')",
    "commit",
  );
  const [event] = (await eventsSince(s, "swap", 1)) ?? [];
  expect(event).toMatchObject({ version: 2, data: { name: "second" } });
  expect(event?.messageId).toBe(await s.value("select message_id from intentions where id = 'swap'"));
  expect(await faults(s)).toEqual([]);
});

test("P1: what is created and deleted in one transaction is no version, and is told to nobody", async () => {
  await s.run(
    "begin",
    "insert into beings (id, location_id) values ('brief', 'brief')",
    "delete from beings where id = 'brief'",
    "commit",
  );
  expect(await recordOf(s, "brief")).toEqual([]);
  expect(await s.value("select sync.current_cursor('brief')")).toBeNull();
});

test("P3: a being and a message of the same ID are two entities", async () => {
  await s.run("insert into beings (id, location_id) values ('twin', 'twins')");
  await s.run("insert into intentions (id, location_id) values ('twin', 'twins')");
  await s.run("delete from beings where id = 'twin'");
  expect(await recordOf(s, "twins")).toEqual(["being twin 1..3 gone", "intention twin 2..2"]);
});

test("P3: another primary key is a deletion of the old and a creation of the new", async () => {
  await s.run("insert into beings (id, location_id) values ('key-b', 'key')");
  await s.run("insert into intentions (id, location_id) values ('key-m', 'key')");
  await s.run("update beings set id = 'key-b2' where id = 'key-b'");
  await s.run("update intentions set id = 'key-m2' where id = 'key-m'");
  expect(inShort(await eventsSince(s, "key", 2))).toEqual([
    "being-deleted key-b",
    "being-created key-b2",
    "intention-deleted key-m",
    "intention-created key-m2",
  ]);
  expect(await faults(s)).toEqual([]);
});

test("P3: two rows that exchange their primary keys in one transaction are both updated", async () => {
  await s.run(
    "insert into beings (id, location_id, name) values ('x', 'cross', 'was x'), ('y', 'cross', 'was y')",
  );
  await s.run(
    "begin",
    "update beings set id = 'z' where id = 'x'",
    "update beings set id = 'x' where id = 'y'",
    "update beings set id = 'y' where id = 'z'",
    "commit",
  );
  const events = (await eventsSince(s, "cross", 1)) ?? [];
  expect(events.map((event) => [event.type, event.data?.name ?? event.id])).toEqual([
    ["being-updated", "was y"],
    ["being-updated", "was x"],
  ]);
  expect(await faults(s)).toEqual([]);
});
