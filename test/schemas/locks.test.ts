import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { progress, Session } from "../support/postgres/session.js";
import { runFile } from "./statements.js";

// What adopting waits for, and who waits for it. Locks are looked at; how long is said in docs/adopting.md.

const db = useDatabase();
let dba: Session;
let writer: Session;
let observer: Session;

beforeAll(async () => {
  [dba, writer, observer] = await Promise.all([Session.open(db), Session.open(db), Session.open(db)]);
  await runFile(dba, "tracker.sql");
});

const TRACK = `select sync.track('tracker.comments', name => 'comment', space => 'task_id', columns => array['id', 'task_id', 'body'])`;
const INSERT = "insert into tracker.comments (task_id, body) select id, 'x' from tracker.tasks limit 1";

/** The tables of which a session has, or wants, a lock that writers wait for. */
const locked = (session: Session) =>
  observer.query(
    `select l.relation::regclass::text as table, l.mode, l.granted from pg_locks l
     where l.pid = $1 and l.mode in ('ShareRowExclusiveLock', 'AccessExclusiveLock') and l.relation::regclass::text like 'tracker.%'
     order by 1`,
    [session.pid],
  );

test("while one partition is held by an open transaction, tracking waits without a lock on the others, and then goes on", async () => {
  await writer.run("begin", "update tracker.comments_3 set body = body || '!'");
  const tracking = dba.outcome(TRACK);
  const seen: unknown[][] = [];
  for (let n = 0; n < 100; n++) {
    seen.push(await locked(dba));
    await sleep(10);
  }
  // Between its tries it has none at all: so nobody waits for longer than a try.
  expect(seen.filter((locks) => locks.length === 0).length).toBeGreaterThan(10);
  expect(seen.some((locks) => locks.length > 0)).toBe(true);
  const other = await Session.open(db);
  await other.run(INSERT, INSERT, INSERT); // it gets through, whatever partition it is for
  await writer.run("commit");
  expect((await tracking).error).toBeUndefined();
  expect(await locked(dba)).toEqual([]);
  expect((await dba.outcome(INSERT)).error).toBeUndefined();
});

test("what cannot be had says so, and leaves nothing: untracking beside a transaction that reads", {
  timeout: 180_000,
}, async () => {
  await writer.run("begin", "select from tracker.comments limit 1");
  const untracking = dba.outcome("select sync.untrack('comment')");
  await sleep(300);
  const other = await Session.open(db);
  await other.run(INSERT);
  await writer.run("commit");
  expect((await untracking).error).toBeUndefined();
  const left = await dba.query(
    "select t.tgname from pg_trigger t join pg_proc p on p.oid = t.tgfoid where p.pronamespace = 'sync'::regnamespace and t.tgrelid::regclass::text like 'tracker.%'",
  );
  expect(left).toEqual([]);
});

test("P8: untracking does not deadlock with a repair of one space after the other: it waits before it has deleted anything", async () => {
  await dba.run(
    "create table public.moves (n integer primary key, room text)",
    "select sync.track('public.moves', name => 'move', space => 'room', columns => array['n'])",
    "call sync.fill('move')",
    "insert into public.moves values (1, 'room-2'), (2, 'room-1')", // the order in which they are deleted
  );
  await writer.run("begin", "select sync.rebuild('room-1')");
  const untracking = dba.outcome("select sync.untrack('move')");
  expect(await progress(observer, untracking, dba, writer)).toBe("waits");
  expect((await writer.outcome("select sync.rebuild('room-2')")).error).toBeUndefined();
  await writer.run("commit");
  expect((await untracking).error).toBeUndefined();
});

test("after 200 tries it gives up, with the table's name and the next step, and nothing is changed", {
  timeout: 180_000,
}, async () => {
  await writer.run("begin", "lock table tracker.members in share mode");
  const { error } = await dba.outcome(
    "select sync.track('tracker.members', name => 'member', space => 'id', columns => array['id', 'name'])",
  );
  await writer.run("rollback");
  expect(error).toMatchObject({
    code: "55P03",
    message: expect.stringMatching(/^no lock on tracker\.members was to be had in 200 tries/),
    hint: expect.stringMatching(/pg_stat_activity/),
  });
  expect(await dba.query("select from sync.tracked where entity_type = 'member'")).toEqual([]);
  expect(await dba.value("select to_regprocedure('sync._note_member()')")).toBeNull();
});
