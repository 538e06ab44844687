import { beforeEach, expect, test } from "vitest";
import { awake } from "../support/postgres/awake.js";
import { useDatabase } from "../support/postgres/database.js";
import { progress, Session, useSession } from "../support/postgres/session.js";
import { eventsSince, faults, inShort, recordAll, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);
const other = useSession(db);

beforeEach(async () => {
  await s.run("select sync.relay_seen(false)");
  await s.run("truncate beings, intentions", "truncate sync.spaces, sync.changes, sync.notes");
  await s.run(
    "insert into beings (id, location_id) values ('ann', 'hall'), ('bob', 'hall')",
    `insert into intentions (id, owner_id, location_id, content)
     select n, 'ann', case when n < 3 then 'hall' else 'yard' end, '["my address is …"]' from generate_series(1, 3) n`,
    "insert into intentions (id, owner_id, location_id) values ('4', 'bob', 'hall')",
  );
});

const erase = (type: string, ...ids: string[]) =>
  s.value("select sync.erase($1, variadic $2)::int", [type, ids]);

/** What is kept of it, whole: in sync.changes and in notes. */
const kept = async (id: string) => [
  ...(await s.query(
    "select space_id, label, deleted_at is not null as gone from sync.changes where entity_id = $1",
    [id],
  )),
  ...(await s.query("select space_id from sync.notes where $1 = any (entity_ids)", [id])),
];

test("erase deletes a message, keeps its ID alone, and readers are told of the deletion", async () => {
  const before = await versionOf(s, "hall");
  expect(await erase("intention", "1")).toBe(1);
  expect(await s.value("select count(*)::int from intentions where id = '1'")).toBe(0);
  expect(await kept("1")).toEqual([{ space_id: "hall", label: null, gone: true }]);
  expect(await eventsSince(s, "hall", before)).toEqual([
    {
      type: "intention-deleted",
      messageId: "",
      id: "1",
      version: before + 1,
      prev: before,
      cursor: expect.stringMatching(new RegExp(`[.]${before + 1}$`)),
    },
  ]);
  expect(await faults(s)).toEqual([]);
});

test("erase works for a being, and for what was deleted before", async () => {
  expect(await erase("being", "ann")).toBe(1);
  expect(await kept("ann")).toEqual([{ space_id: "hall", label: null, gone: true }]);
  await s.run("delete from intentions where id = '2'");
  expect(await kept("2")).toEqual([{ space_id: "hall", label: expect.stringMatching(/^msg_/), gone: true }]);
  const before = await versionOf(s, "hall");
  expect(await erase("intention", "2")).toBe(1);
  expect(await kept("2")).toEqual([{ space_id: "hall", label: null, gone: true }]);
  expect(await versionOf(s, "hall")).toBe(before);
  expect(await erase("intention", "never was")).toBe(0);
  expect(await faults(s)).toEqual([]);
});

test("erase forgets it also in the spaces that it has left", async () => {
  await s.run("update intentions set location_id = 'yard' where id = '1'");
  expect(await erase("intention", "1")).toBe(2);
  expect(await kept("1")).toEqual([
    { space_id: "hall", label: null, gone: true },
    { space_id: "yard", label: null, gone: true },
  ]);
});

test("all that a being wrote is erased in one call, one version a space", async () => {
  const before = [await versionOf(s, "hall"), await versionOf(s, "yard")] as const;
  expect(
    await s.value(
      "select sync.erase('intention', variadic array(select i.id from public.intentions i where i.owner_id = 'ann'))::int",
    ),
  ).toBe(2);
  expect([await versionOf(s, "hall"), await versionOf(s, "yard")]).toEqual(before.map((v) => v + 1));
  expect(inShort(await eventsSince(s, "hall", before[0]))).toEqual([
    "intention-deleted 1",
    "intention-deleted 2",
  ]);
  expect(await s.query("select id from intentions")).toEqual([{ id: "4" }]);
});

test("erase works for tracked tables, with keys of any type, in each space of a row", async () => {
  await s.undone(async () => {
    await s.run(
      "create table cards (id uuid primary key, board text, person text, title text)",
      `select sync.track('public.cards', spaces => array['board', 'person'], columns => array['id', 'title'], name => 'card')`,
      "insert into cards values ('0000aaaa-0000-4000-8000-000000000001', 'b', 'p', 'secret')",
      "set constraints all immediate",
    );
    expect(await erase("card", "0000AAAA-0000-4000-8000-000000000001")).toBe(2);
    expect(await kept("0000aaaa-0000-4000-8000-000000000001")).toEqual([
      { space_id: "b", label: null, gone: true },
      { space_id: "p", label: null, gone: true },
    ]);
    expect(await s.value("select count(*)::int from cards")).toBe(0);
    expect(await faults(s)).toEqual([]);
  });
});

test("while a relay is awake, too, nothing of the label is left, and the transaction stays whole (P5)", async () => {
  await s.run(awake);
  await s.run(
    "insert into intentions (id, location_id) values ('new', 'hall')", // noted, not recorded
    "begin",
    "update beings set name = 'B' where id = 'bob'",
  );
  const before = await versionOf(s, "hall");
  expect(await erase("intention", "new", "1")).toBe(1);
  await s.run("insert into intentions (id, location_id) values ('after', 'hall')", "commit");
  expect(await versionOf(s, "hall")).toBe(before + 1);
  expect(inShort(await eventsSince(s, "hall", before))).toEqual([
    "being-updated bob",
    "intention-created after",
    "intention-deleted 1",
    "intention-deleted new",
  ]);
  await recordAll(s);
  expect(await versionOf(s, "hall")).toBe(before + 1);
  expect(
    await s.query("select entity_id from sync.changes where deleted_at is not null and label is not null"),
  ).toEqual([]);
  expect(await faults(s)).toEqual([]);
});

test("erase waits for who records the message just then, and leaves nothing of it either", async () => {
  await s.run(awake);
  await s.run("insert into intentions (id, location_id) values ('new', 'hall')");
  const watch = await Session.open(db);
  await other.run("begin", "select sync.record()");
  const erasing = s.outcome("select sync.erase('intention', 'new')::int as n");
  const event = () => watch.value("select wait_event from pg_stat_activity where pid = $1", [s.pid]);
  await expect.poll(event, { interval: 1 }).toBe("PgSleep");
  await other.run("commit");
  expect((await erasing).rows).toEqual([{ n: 1 }]);
  expect(await kept("new")).toEqual([{ space_id: "hall", label: null, gone: true }]);
  expect(await faults(s)).toEqual([]);
});

test("where a space is held for long, erase says so, and nothing is erased", async () => {
  await other.run("begin", "select from sync.spaces where space_id = 'hall' for update");
  const watch = await Session.open(db);
  const erasing = s.outcome("select sync.erase('intention', '1')");
  expect(await progress(watch, erasing, s, other)).toBe("done");
  expect((await erasing).error?.code).toBe("55P03");
  await other.run("rollback");
  expect(await s.value("select count(*)::int from intentions where id = '1'")).toBe(1);
});

test("erase refuses a type that is not tracked, and a snapshot that is too old", async () => {
  expect(await s.refusal("select sync.erase('nonsense', '1')")).toBe("22023");
  await s.run("begin isolation level repeatable read");
  expect(await s.refusal("select sync.erase('intention', '1')")).toBe("0A000");
  await s.run("rollback");
});
