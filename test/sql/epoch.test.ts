import pg from "pg";
import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { eventsSince, faults } from "../support/relay/feed.js";

const db = useDatabase();

test("P11: sync.epoch() is 16 hex digits, the same in each session", async () => {
  const [a, b] = [await Session.open(db), await Session.open(db)];
  const epoch = await a.value("select sync.epoch()");
  expect(epoch).toMatch(/^[0-9a-f]{16}$/);
  expect(await b.value("select sync.epoch()")).toBe(epoch);
});

test("P11: after sync.reset() there is another epoch, and an old cursor gets a snapshot", async () => {
  const s = await Session.open(db);
  await s.run("insert into intentions (id, location_id) values ('m', 'reset')");
  await s.run("update intentions set name = 'x'");
  const before = await s.value("select sync.epoch()");
  const cursor = await s.value("select sync.current_cursor('reset')");
  const resolve = (since: unknown) => s.value("select sync.resolve_cursor('reset', $1)::int", [since]);
  expect(await resolve(cursor)).toBe(2);

  const after = await s.value("select sync.reset()");
  expect(after).toMatch(/^[0-9a-f]{16}$/);
  expect(after).not.toBe(before);
  expect(await s.value("select sync.epoch()")).toBe(after);
  expect(await resolve(cursor)).toBeNull();
  expect([await resolve("1"), await resolve("2"), await resolve("3")]).toEqual([null, null, 3]);
  expect(await eventsSince(s, "reset", 2)).toBeNull();
  expect(await faults(s)).toEqual([]);
});

test("P11: a copy of the database has another epoch, and the versions go on in both", async () => {
  const s = await Session.open(db);
  await s.run("insert into intentions (id, location_id) values ('c', 'copied')");
  const cursor = await s.value("select sync.current_cursor('copied')");
  const name = new URL(db.url).pathname.slice(1);
  const elsewhere = new URL(db.url);
  elsewhere.pathname = "/postgres";
  const copied = new URL(db.url);
  copied.pathname = `/${name}_copy`;
  const admin = new pg.Client({ connectionString: elsewhere.href });
  await admin.connect();
  try {
    // A template may have no sessions.
    await admin.query(
      "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = $1 and backend_type = 'client backend'",
      [name],
    );
    await admin.query(`create database ${name}_copy template ${name}`);
    const copy = new pg.Client({ connectionString: copied.href });
    await copy.connect();
    const { rows } = await copy.query(
      "select sync.resolve_cursor('copied', $1) as foreign, sync.current_cursor('copied') as cursor",
      [cursor],
    );
    await copy.end();
    expect(rows[0].foreign).toBeNull();
    expect(rows[0].cursor).not.toBe(cursor);
    expect(rows[0].cursor).toMatch(/\.1$/);
  } finally {
    await admin.query(`drop database if exists ${name}_copy`);
    await admin.end();
  }
});
