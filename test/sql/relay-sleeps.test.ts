import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { useDatabase } from "../support/database.js";
import { progress, Session } from "../support/session.js";

const db = useDatabase();
let s: Session;
let other: Session;
let observer: Session;
let heard: (string | undefined)[] = [];

beforeAll(async () => {
  [s, other, observer] = [await Session.open(db), await Session.open(db), await Session.open(db)];
  s.client.on("notification", ({ payload }) => heard.push(payload));
  await s.run("listen spacefeed");
});

beforeEach(() => s.run("truncate beings, sync.spaces, sync.changes, sync.relays"));

afterEach(async () => {
  for (const session of [s, other]) await session.run("rollback"); // of a test that failed
});

/** How many notifications a transaction of one change makes. They come before the answer to the next statement. */
async function notifications(begin = "begin"): Promise<number> {
  heard = [];
  await s.run(begin, "insert into beings (location_id) values ('one')", "commit", "select 1");
  return heard.length;
}

test("P12: a writer notifies while a relay sleeps, and only then", async () => {
  expect(await notifications()).toBe(0);
  await other.run("select sync.relay_seen('awake', false)");
  expect(await notifications()).toBe(0);
  await other.run("select sync.relay_seen('asleep', true)");
  expect(await notifications()).toBe(1);
  await other.run("select sync.relay_gone('asleep')");
  expect(await notifications()).toBe(0);
  await other.run("select sync.relay_seen('awake')"); // as a relay of the version before says it
  expect(await notifications()).toBe(1);
});

test("P12: a relay that has been silent for a minute is not notified, and one that is seen forever always is", async () => {
  await other.run(
    "insert into sync.relays values ('silent', true, clock_timestamp() - interval '61 seconds')",
  );
  expect(await notifications()).toBe(0);
  await other.run("update sync.relays set seen_at = clock_timestamp() - interval '50 seconds'");
  expect(await notifications()).toBe(1);
  await other.run("truncate sync.relays", "insert into sync.relays values ('psql', true, 'infinity')");
  await other.run("select sync.relay_seen('awake', false)");
  expect(await notifications()).toBe(1);
});

test("P12: a writer whose snapshot is older than its xid notifies, whoever sleeps", async () => {
  await other.run("select sync.relay_seen('awake', false)");
  for (const level of ["repeatable read", "serializable"]) {
    expect(await notifications(`begin isolation level ${level}`)).toBe(1);
  }
  expect(await notifications("begin isolation level read uncommitted")).toBe(0);
});

test("P12: sync.reset() notifies also when nobody sleeps", async () => {
  await notifications();
  await s.run("select sync.reset()", "select 1");
  expect(heard).toEqual(["2 one"]);
});

test("P12: a sign of life that a writer does not see, since it has waited for long, does not keep it from notifying", async () => {
  await s.run("insert into beings (location_id) values ('one')");
  await other.run("begin", "select from sync.spaces where space_id = 'one' for update");
  // A minute will be over before the writer goes on, but was not when it looked.
  await observer.run(
    "insert into sync.relays values ('asleep', true, clock_timestamp() - interval '59 seconds')",
  );
  heard = [];
  const waiting = s.outcome("insert into beings (location_id) values ('one')");
  expect(await progress(observer, waiting, s, other)).toBe("waits");
  const isOver = "select bool_and(seen_at < clock_timestamp() - interval '1 minute') from sync.relays";
  await expect.poll(() => observer.value(isOver)).toBe(true);
  await other.run("rollback");
  await waiting;
  await s.run("select 1");
  expect(heard).toEqual(["2 one"]);
});

test("P12: a sign of life says whether writers have counted the relay as asleep until now", async () => {
  const seen = (asleep: boolean) => s.value("select was_asleep from sync.relay_seen('r', $1)", [asleep]);
  expect(await seen(true), "the first one").toBe(false);
  expect(await seen(true)).toBe(true);
  expect(await seen(false)).toBe(true);
  expect(await seen(true), "it was awake").toBe(false);
  for (const [age, counted] of [
    ["20 seconds", true],
    ["40 seconds", false], // in doubt
    ["2 minutes", false],
  ] as const) {
    await s.query("update sync.relays set seen_at = clock_timestamp() - $1::interval", [age]);
    expect([age, await seen(true)]).toEqual([age, counted]);
    expect(await seen(true)).toBe(true);
  }
});

/** A poll from a snapshot on: the snapshot to go on from, and what was raised. */
async function poll(seen: unknown): Promise<{ seen: unknown; oldest: bigint; raised: string[] | null }> {
  const [row] = await observer.query("select * from sync.raised_since($1)", [seen]);
  const raised = row?.space_ids as string[] | null;
  return {
    seen: row?.now_seen,
    oldest: BigInt(row?.oldest_open as string),
    raised: raised && [...raised].sort(),
  };
}

test("P12: a poll tells each space once, whichever way it was raised, also while a writer stays open", async () => {
  let { seen, raised } = await poll(null);
  expect(raised, "any").toBe(null);
  await other.run(
    "begin",
    "insert into beings (location_id) values ('open')",
    "set constraints all immediate",
  );
  const xid = BigInt((await other.value("select pg_current_xact_id()")) as string);
  for (const [statement, spaces] of [
    ["insert into beings (location_id) values ('one'), ('two'), ('two')", ["one", "two"]],
    ["update beings set location_id = 'three' where location_id = 'one'", ["one", "three"]],
    ["truncate beings", ["three", "two"]],
    ["select sync.reset()", ["one", "three", "two"]],
    ["select 1", []],
  ] as const) {
    if (/truncate|reset/.test(statement)) await other.run("rollback"); // they lock the table
    await s.run(statement);
    const found = await poll(seen);
    expect([statement, found.raised]).toEqual([statement, spaces]);
    if (!/truncate|reset|select 1/.test(statement)) expect(found.oldest <= xid).toBe(true);
    ({ seen } = found);
  }
});

test("P12: a poll finds a writer that began before, and commits after, others that were found already", async () => {
  await other.run("begin", "insert into beings (location_id) values ('one')"); // the lower xid
  await s.run("insert into beings (location_id) values ('one')");
  const before = await poll(null);
  expect((await poll(before.seen)).raised).toEqual([]);
  await other.run("commit");
  const after = await poll(before.seen);
  expect(after.raised).toEqual(["one"]);
  expect((await poll(after.seen)).raised).toEqual([]);
});

test("P12: a poll of another history (xids have gone back) says any, and rows that were restored are not raised for ever", async () => {
  await s.run("insert into beings (location_id) values ('one'), ('two')");
  const { seen } = await poll(null);
  const next = BigInt((seen as string).split(":")[1] as string);
  const ahead = await poll(`${next + 1_000_000n}:${next + 1_000_000n}:`);
  expect(ahead.raised).toBe(null);
  expect((await poll(ahead.seen)).raised).toEqual([]);
  await s.query("update sync.spaces set xid = $1::xid8 where space_id = 'one'", [`${next + 1_000_000n}`]);
  expect((await poll(seen)).raised).toEqual([]);
  await s.run("insert into beings (location_id) values ('one')");
  expect((await poll(seen)).raised).toEqual(["one"]);
});

test("P12: a poll reads the snapshot that it returns: what commits behind it is for the next one", async () => {
  const start = await poll(null);
  await observer.run("begin isolation level repeatable read", "select 1");
  await s.run("insert into beings (location_id) values ('one')");
  const old = await poll(start.seen);
  await observer.run("commit");
  expect(old.raised).toEqual([]);
  expect((await poll(old.seen)).raised).toEqual(["one"]);
});
