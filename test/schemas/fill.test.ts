import { beforeEach, expect, test } from "vitest";
import { awake } from "../support/postgres/awake.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session, useSession } from "../support/postgres/session.js";
import { eventsSince, faults, inShort, recordAll, versionOf } from "../support/relay/feed.js";

// What sync.fill() records, and what happens before and beside it. No relay: each step is looked at.

const db = useDatabase();
const s = useSession(db);

const NOTES = [
  "drop table if exists public.old_notes",
  "create table public.old_notes (id integer primary key, room text not null, body text not null default '')",
  "insert into public.old_notes (id, room) select n, 'hall' from generate_series(1, 100) n",
];
const TRACK =
  "select sync.track('public.old_notes', name => 'note', space => 'room', columns => array['id', 'room', 'body'])";

beforeEach(async () => {
  await s.run(
    "do $$ begin if exists (select from sync.tracked where entity_type = 'note') then perform sync.untrack('note'); end if; end $$",
    ...NOTES,
  );
});

const filledTo = () => s.value("select filled_to from sync.tracked where entity_type = 'note'");
/** What a client that comes now is given. */
const inSnapshot = async () =>
  (await s.value("select json_array_length(entities -> 'note') from sync.snapshot('hall')")) as
    | number
    | undefined;

test("sync.fill() that was interrupted goes on where it was", async () => {
  await s.run(TRACK);
  expect(await filledTo()).toBe("");
  expect(await s.value("select sync._fill('note', 30)")).toBe(false);
  expect(await filledTo()).toBe("30");
  // A session that is cancelled within a batch: that batch is undone, and no other.
  const other = await Session.open(db);
  await other.run("begin", "select sync._fill('note', 30)");
  await s.query("select pg_terminate_backend($1)", [other.pid]);
  await expect
    .poll(() => s.value("select count(*)::int from pg_stat_activity where pid = $1", [other.pid]))
    .toBe(0);
  expect(await filledTo()).toBe("30");
  expect(await s.value("select count(*)::int from sync.changes where entity_type = 'note'")).toBe(30);
  expect(await faults(s)).toEqual([]); // what is not filled yet is no fault

  await s.run("call sync.fill('note', 30)");
  expect(await filledTo()).toBeNull();
  expect(await s.value("select count(*)::int from sync.changes where entity_type = 'note'")).toBe(100);
  expect(await faults(s)).toEqual([]);
  const version = await versionOf(s, "hall");
  await s.run("call sync.fill('note')"); // nothing to do
  expect(await versionOf(s, "hall")).toBe(version);
});

test("P3: what a client got in a snapshot before it was filled, and is deleted or moved away then, is told", async () => {
  await s.run(TRACK, "insert into public.old_notes (id, room) values (101, 'hall')");
  const version = await versionOf(s, "hall");
  expect(await inSnapshot()).toBe(101); // it is a space now, and the rows from before are in it
  await s.run(
    "delete from public.old_notes where id = 7",
    "update public.old_notes set room = 'attic' where id = 8",
  );
  expect(inShort(await eventsSince(s, "hall", version))).toEqual(["note-deleted 7", "note-deleted 8"]);
  await s.run("call sync.fill('note', 10)");
  expect(await faults(s)).toEqual([]);
  expect(await inSnapshot()).toBe(99);
});

test("P3: also where a relay is awake, and records it only after the last batch", async () => {
  await s.run(TRACK, "insert into public.old_notes (id, room) values (101, 'hall')");
  await recordAll(s);
  const version = await versionOf(s, "hall");
  await s.run(awake);
  await s.run("delete from public.old_notes where id = 7"); // its note waits
  expect(await versionOf(s, "hall")).toBe(version);
  await s.run("call sync.fill('note', 1000)");
  await recordAll(s);
  const events = await eventsSince(s, "hall", version, 1000);
  expect(inShort(events)).toContain("note-deleted 7");
  await s.run("select sync.relay_seen(false)");
  expect(await faults(s)).toEqual([]);
});

test("P3: TRUNCATE before it was filled sends everybody to the snapshot", async () => {
  await s.run("insert into public.beings (id, type) values ('hall', 'space') on conflict do nothing", TRACK);
  const version = await versionOf(s, "hall");
  expect(await inSnapshot()).toBe(100);
  await s.run("truncate public.old_notes");
  expect(await eventsSince(s, "hall", version)).toBeNull();
  expect(await inSnapshot()).toBe(0);
  await s.run("call sync.fill('note')");
  expect(await faults(s)).toEqual([]);
});

test("rows that are written while it is filled are there once", async () => {
  await s.run(TRACK);
  const other = await Session.open(db);
  await other.run("begin", "update public.old_notes set body = 'open' where id in (5, 95)");
  await s.run("call sync.fill('note', 20)");
  await other.run("commit");
  await s.run(
    "insert into public.old_notes (id, room) values (0, 'hall'), (101, 'hall')",
    "delete from public.old_notes where id = 6",
  );
  expect(await faults(s)).toEqual([]);
  expect(await inSnapshot()).toBe(101);
});

test("P3: who was away while a table was untracked takes a snapshot, also where only deletions were left", async () => {
  await s.run(TRACK, "call sync.fill('note')");
  const version = await versionOf(s, "hall");
  await s.run("delete from public.old_notes", "select sync.untrack('note')");
  expect(await eventsSince(s, "hall", version)).toBeNull();
  expect(await faults(s)).toEqual([]);
});

test("P12: who writes to many spaces at once, as sync.fill() does, records itself also while a relay is awake", async () => {
  await s.run(
    "update public.old_notes set room = 'room ' || id % 50",
    TRACK,
    awake,
    "call sync.fill('note', 30)",
  );
  expect(await s.value("select count(*)::int from sync.notes")).toBe(0);
  expect(await versionOf(s, "room 7")).toBe(2); // it was in two batches
  await s.run(
    "insert into public.old_notes (id, room) select n, 'many ' || n from generate_series(1001, 1200) n",
  );
  expect(await s.value("select count(*)::int from sync.notes")).toBe(0);
  await s.run("update public.old_notes set body = 'one space' where room = 'room 7'");
  expect(await s.value("select count(*)::int from sync.notes")).toBe(1); // left to the relay
  await s.run("select sync.relay_seen(false)");
  await recordAll(s);
  expect(await faults(s)).toEqual([]);
});
