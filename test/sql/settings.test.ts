import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { faults } from "../support/relay/feed.js";

const db = useDatabase();

beforeAll(async () => {
  const s = await Session.open(db);
  await s.run(
    `insert into beings (id, type, name, metadata, created_at, modified_at)
     values ('there', 'space', 'a\\b ''c'' "d"', '{"n": 1.50, "f": 0.1}', '2024-03-01T12:00Z', '2024-03-01T13:00Z')`,
    `insert into intentions (id, location_id, created_at, modified_at)
     values ('m', 'there', '2024-03-01T12:30Z', '2024-03-01T14:00:00.123456Z')`,
  );
});

async function readAll(s: Session) {
  return [
    await s.query("select * from sync.snapshot('there')"),
    await s.query("select * from sync._list('intention', 'there', 10, 'msg_1')"),
    await s.query(
      "select space_id, since, version, cursor, events, types, change from sync.changes_since('{there}', '{0}', 10)",
    ),
    await s.value("select sync.current_cursor('there')"),
    await s.value("select sync.resolve_cursor('there', sync.current_cursor('there'))"),
    await s.value("select sync.resolve_cursor('there', 'msg_1')"),
    await s.value("select sync.resolve_cursor('there', '2024-03-01')"),
    await s.value("select sync.resolve_cursor('there', '2024-03-01T12:30:01')"),
    await s.value("select sync.resolve_cursor('there', '2024-03-01 18:00:01.5+05:30')"),
  ];
}

test.each([
  "set datestyle = 'SQL, DMY'",
  "set datestyle = 'German'",
  "set timezone = 'Asia/Kolkata'",
  "set timezone = 'America/New_York'",
  "set intervalstyle = 'sql_standard'",
  "set bytea_output = 'escape'",
  "set extra_float_digits = -15",
  "set client_encoding = 'LATIN1'",
  "set array_nulls = off",
  "set backslash_quote = off",
  "set transform_null_equals = on",
  "set quote_all_identifiers = on",
  "set search_path = ''",
  "set plan_cache_mode = force_generic_plan",
  "set standard_conforming_strings = off",
])("P6: with %s a session writes and reads what every other one does", async (setting) => {
  const [plain, other] = [await Session.open(db), await Session.open(db)];
  const expected = await readAll(plain);
  // Postgres 19 knows no other value.
  const { error } = await other.outcome(setting);
  if (error) return;
  expect(await readAll(other)).toEqual(expected);

  await other.run(
    "insert into public.beings (id, location_id, name) select 'w' || n, 'written', 'x' from generate_series(1, 40) n",
    "update public.beings set name = 'y' where location_id = 'written'",
    "delete from public.beings where location_id = 'written'",
    "insert into public.intentions (location_id) values ('written')",
  );
  expect(await faults(plain)).toEqual([]);
});

test("P6: a read-only transaction reads", async () => {
  const s = await Session.open(db);
  await s.run("begin read only");
  expect(await readAll(s)).toHaveLength(9);
  await s.run("rollback");
});

test("P11: a version that a reader has seen outlives a crash: who waits for no disk is recorded by who does", async () => {
  const s = await Session.open(db);
  const version = () => s.value("select version::int from sync.spaces where space_id = 'there'");
  const before = (await version()) as number;
  await s.run("set synchronous_commit = off", "update beings set name = 'x' where id = 'there'");
  expect(await s.value("select current_setting('synchronous_commit')")).toBe("off");
  expect([await version(), await s.value("select count(*)::int from sync.notes")]).toEqual([before, 1]);
  for (const [setting, records] of [
    ["off", "local"],
    ["local", "local"],
    ["on", "on"],
    ["remote_apply", "remote_apply"],
  ]) {
    await s.run(`set synchronous_commit = ${setting}`, "begin", "select sync.record()");
    expect(await version()).toBe(before + 1);
    expect(await s.value("select current_setting('synchronous_commit')")).toBe(records);
    await s.run("rollback");
    expect(await s.value("select current_setting('synchronous_commit')")).toBe(setting);
  }
  await s.run("set synchronous_commit = off", "select sync.record()");
  expect(await version()).toBe(before + 1);
  await s.run("begin", "select sync.record()");
  expect(
    await s.value("select current_setting('synchronous_commit')"),
    "what records nothing commits as it likes",
  ).toBe("off");
  await s.run("rollback");
  expect(await faults(s)).toEqual([]);
});
