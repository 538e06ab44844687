import { afterEach, beforeEach, expect, test } from "vitest";
import { awake } from "../support/postgres/awake.js";
import { useDatabase } from "../support/postgres/database.js";
import { explainEverything, scansOf } from "../support/postgres/plan.js";
import { progress, Session, useSession } from "../support/postgres/session.js";
import { faults, recordOf, versionOf } from "../support/relay/feed.js";

// A relay is awake: a commit leaves its notes, and sync.record() makes versions of them.
const db = useDatabase();
const s = useSession(db);
const other = useSession(db);
const relay = useSession(db);

beforeEach(() => relay.run("truncate beings, intentions, sync.spaces, sync.changes, sync.notes", awake));

afterEach(async () => {
  for (const session of [s, other, relay]) await session.run("rollback"); // of a test that failed
  expect(await faults(relay)).toEqual([]);
});

const insert = (id: string, space: string) =>
  `insert into beings (id, location_id) values ('${id}', '${space}')`;
const eachInItsSpace = (count: number) =>
  `insert into beings (id, location_id) select 'b' || n, 's' || n from generate_series(1, ${count}) n`;
const notes = () => relay.value("select count(*)::int from sync.notes");

interface Recorded {
  seen: string | null;
  filed: number;
  is_more: boolean;
  left_behind: string[];
  failed: string[];
  reason: string | null;
}

async function record(seen: string | null = null, apart: string[] = [], most = 2000, by = relay) {
  const [row] = await by.query(
    `select now_seen::text as seen, filed::int, is_more, left_behind, failed, reason
     from sync.record($1::pg_snapshot, $2, $3)`,
    [seen, apart, most],
  );
  return row as unknown as Recorded;
}

/** What a recording gives where nothing is in its way. */
const whole = (filed: number) => ({ filed, is_more: false, left_behind: [], failed: [], reason: null });

test("P1: many transactions are one version of each space, and whole", async () => {
  for (let n = 1; n <= 5; n++) {
    await s.run("begin", insert(`a${n}`, "one"), insert(`b${n}`, "two"), "commit");
  }
  expect(await record()).toMatchObject(whole(10));
  expect([await versionOf(s, "one"), await versionOf(s, "two"), await notes()]).toEqual([1, 1, 0]);
  expect(await recordOf(s, "one")).toEqual([1, 2, 3, 4, 5].map((n) => `being a${n} 1..1`));
  expect(await record(), "nothing is left").toMatchObject(whole(0));
  expect(await versionOf(s, "one")).toBe(1);
});

test("a recording is bounded in notes: it says that there are more, and begins there the next time", async () => {
  const { seen } = await record();
  await s.run(eachInItsSpace(25));
  for (const left of [15, 5]) {
    expect(await record(seen, [], 10)).toMatchObject({ ...whole(10), is_more: true, seen });
    expect(await notes()).toBe(left);
  }
  const last = await record(seen, [], 10);
  expect(last).toMatchObject(whole(5));
  expect(last.seen).not.toBe(seen);
  expect(await notes()).toBe(0);
});

test("P5: however few notes a recording may take, it takes all of a space", async () => {
  for (let n = 0; n < 5; n++) await s.run(insert(`a${n}`, "one"));
  expect(await record(null, [], 2)).toMatchObject({ filed: 5, is_more: true });
  expect(await record(null, [], 2)).toMatchObject(whole(0));
  expect(await versionOf(s, "one")).toBe(1);
});

test("P8: a space that another transaction is recording is left behind, without waiting; the others go on", async () => {
  await s.run(insert("a", "one"), "select sync.record()");
  await other.run("begin", "select from sync.spaces where space_id = 'one' for update");
  await s.run(insert("b", "one"), insert("c", "two"));
  const recording = relay.outcome("select sync.record()");
  expect(await progress(s, recording, relay, other)).toBe("done");
  const again = await record();
  expect(again).toMatchObject({ ...whole(0), left_behind: ["one"] });
  expect([await versionOf(s, "one"), await versionOf(s, "two")]).toEqual([1, 1]);
  await other.run("rollback");
  expect(await record(again.seen), "it is not new any more").toMatchObject(whole(0));
  expect(await record(null)).toMatchObject(whole(1));
  expect(await versionOf(s, "one")).toBe(2);
});

test("two recorders at a time record nothing twice, and wait for one another in no way", async () => {
  await s.run(eachInItsSpace(20), "select sync.record()", "update beings set name = 'x'");
  await other.run("begin");
  expect(await record(null, [], 8, other)).toMatchObject({ filed: 8, is_more: true });
  const recording = relay.outcome("select sync.record()");
  expect(await progress(s, recording, relay, other)).toBe("done");
  const versions = "select version::int, count(*)::int from sync.spaces group by 1 order by 1";
  expect(await s.query(versions)).toEqual([
    { version: 1, count: 8 },
    { version: 2, count: 12 },
  ]);
  expect((await record()).left_behind).toHaveLength(8);
  await other.run("commit");
  expect(await record()).toMatchObject(whole(0));
  expect(await s.query(versions)).toEqual([{ version: 2, count: 20 }]);
});

test("P3: what a recorder was recording when it was killed is recorded by the other one", async () => {
  await s.run(eachInItsSpace(3));
  const killed = await Session.open(db);
  await killed.run("begin", "select sync.record()");
  await s.query("select pg_terminate_backend($1, 10000)", [killed.pid]);
  expect(await record()).toMatchObject(whole(3));
  expect(await notes()).toBe(0);
});

test("P3: a space of which recording fails is named with the reason, and holds up no other one", async () => {
  await relay.run(
    `create function broken() returns trigger language plpgsql as $$
     begin
       if new.space_id in ('s2', 's4') then raise exception 'no room for %', new.space_id using errcode = 'disk_full'; end if;
       return new;
     end $$`,
    "create trigger broken before insert on sync.changes for each row execute function broken()",
  );
  try {
    await s.run(eachInItsSpace(5));
    const first = await record();
    expect(first).toMatchObject({ ...whole(3), failed: ["s2", "s4"], reason: "53100: no room for s4" });
    expect(await notes()).toBe(2);
    await s.run(insert("c", "s1"), insert("d", "s2"));
    expect(await record(first.seen, ["s2", "s4"])).toMatchObject(whole(1));
    expect([await versionOf(s, "s1"), await versionOf(s, "s2")]).toEqual([2, 0]);
    expect((await record()).failed, "tried again").toEqual(["s2", "s4"]);
  } finally {
    await relay.run("drop function broken cascade");
  }
  expect(await record()).toMatchObject(whole(3));
  expect(await recordOf(s, "s2")).toEqual(["being b2 1..1", "being d 1..1"]);
});

test("P8: a table that somebody has locked fails the spaces that have to look into it, for now", async () => {
  await s.run(insert("a", "one"), "insert into intentions (id, location_id) values ('m', 'two')");
  await other.run("begin", "lock table beings in access exclusive mode");
  expect(await record()).toMatchObject({
    filed: 1,
    failed: ["one"],
    reason: expect.stringMatching(/^55P03: /),
  });
  expect([await versionOf(s, "one"), await versionOf(s, "two")]).toEqual([0, 1]);
  await other.run("rollback");
  expect(await record()).toMatchObject(whole(1));
});

test("P3: a transaction that was open at the last recording is found by the next one after its commit", async () => {
  await other.run("begin", insert("a", "one")); // the lower xid
  await s.run(insert("b", "one"));
  const before = await record();
  expect(before).toMatchObject(whole(1));
  const between = await record(before.seen);
  expect(between).toMatchObject(whole(0));
  await s.run("begin", insert("c", "two"), "savepoint one", insert("d", "two"), "commit");
  await other.run("commit");
  const after = await record(between.seen);
  expect(after).toMatchObject(whole(3));
  expect(await record(after.seen)).toMatchObject(whole(0));
  expect(await recordOf(s, "one")).toEqual(["being a 2..2", "being b 1..1"]);
});

test("P3: a recording reads the snapshot that it returns: what commits behind it is for the next one", async () => {
  const start = await record();
  await relay.run("begin isolation level repeatable read", "select 1");
  await s.run(insert("a", "one"));
  const old = await record(start.seen);
  await relay.run("commit");
  expect(old).toMatchObject(whole(0));
  expect(await record(old.seen)).toMatchObject(whole(1));
});

test("P11: a snapshot of another server, of which the xids are still to come, is none: all notes are taken", async () => {
  await s.run(insert("a", "one"));
  const { seen } = await record(null, [], 1);
  const xmax = BigInt((await relay.value("select pg_snapshot_xmax(pg_current_snapshot())")) as string);
  const ahead = `${xmax + 1_000_000n}:${xmax + 1_000_000n}:`;
  await s.run(insert("b", "one"));
  const back = await record(ahead);
  expect(back).toMatchObject(whole(1));
  expect(BigInt((back.seen as string).split(":")[1] as string)).toBeLessThan(xmax + 1_000_000n);
  expect(seen).toBe(null);
});

test("P11: where to look from is forgotten where it is still to come, after a restore", async () => {
  await s.run(insert("a", "one"));
  const below = "select sync._recorded_below()::text::bigint";
  await relay.run(
    "select setval('sync.recorded_below', (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000000))",
  );
  expect(await relay.value(below)).toBe("0");
  expect(await relay.query("select * from sync.reach('{one}')")).toEqual([
    { space_id: "one", version: "1", is_pending: false },
  ]);
  const { seen } = await record();
  await s.run(insert("b", "two"));
  await record(seen);
  expect(Number(await relay.value(below))).toBeGreaterThan(0);
});

test("P3: a transaction that is open, and what is left behind or failed, are never below where to look from", async () => {
  await other.run("begin", insert("a", "one"));
  const xid = Number(await other.value("select pg_current_xact_id()::text"));
  let { seen } = await record();
  for (let n = 0; n < 5; n++) {
    await s.run(insert(`b${n}`, "two"));
    ({ seen } = await record(seen));
  }
  const below = async () => Number(await relay.value("select sync._recorded_below()::text"));
  expect(await below()).toBeLessThanOrEqual(xid);
  await other.run("commit", "begin", "select from sync.spaces where space_id = 'two' for update");
  await s.run(insert("c", "two"));
  const behind = await record(seen);
  expect(behind.left_behind).toEqual(["two"]);
  ({ seen } = behind);
  for (let n = 0; n < 3; n++) {
    await s.run(insert(`d${n}`, "three"));
    ({ seen } = await record(seen)); // as if it had left nothing
  }
  const waiting = Number(await relay.value("select min(xid::text::bigint) from sync.notes"));
  expect(await below()).toBeLessThanOrEqual(waiting);
  await other.run("rollback");
  expect(await relay.query("select is_pending from sync.reach('{two}')")).toEqual([{ is_pending: false }]);
  // It does move where nothing is in the way: no transaction of another database either.
  const moves = async () => {
    await s.run("update beings set name = name || 'x' where location_id = 'two'");
    ({ seen } = await record(seen));
    return below();
  };
  await expect.poll(moves).toBeGreaterThan(waiting);
});

test("P8: of a transaction that stays open for long, a recording reads nothing again but what is new", async () => {
  const session = await Session.open(db);
  await other.run("begin", insert("a", "one"));
  // 500 notes that are left alone, as those of a space that fails: they are newer than the open transaction.
  await s.run(
    `do $$ begin for n in 1..500 loop insert into public.beings (location_id) values ('apart'); end loop; end $$`,
  );
  let { seen } = await record(null, ["apart"]);
  await explainEverything(session);
  for (const news of [0, 1, 3]) {
    for (let n = 0; n < news; n++) await s.run(insert(`n${news}-${n}`, "two"));
    const scans = await scansOf(session, "select * from sync.record($1::pg_snapshot, '{apart}')", [seen]);
    const read = scans.filter(({ table }) => table === "sync.notes");
    expect(read.filter(({ node }) => node === "Seq Scan")).toEqual([]);
    expect([news, Math.max(...read.map(({ rows }) => rows))]).toEqual([news, news]);
    seen = (await record(seen, ["apart"])).seen;
  }
  await other.run("commit");
  expect(await record(seen, ["apart"]), "and it is found").toMatchObject(whole(1));
  expect(await record()).toMatchObject(whole(500));
});

test("sync.reach() records the spaces that are asked for, and says where they are then", async () => {
  await s.run(insert("a", "one"), insert("b", "two"), insert("c", "three"));
  const reach = (spaces: string) =>
    relay.query("select space_id, version::int, is_pending from sync.reach($1)", [spaces]);
  expect(await reach("{one,none}")).toEqual([
    { space_id: "one", version: 1, is_pending: false },
    { space_id: "none", version: null, is_pending: false },
  ]);
  expect(await notes()).toBe(2);
  await record();
  await other.run("begin", "select from sync.spaces where space_id = 'two' for update");
  await s.run(insert("d", "one"), insert("e", "two"));
  expect(await reach("{one,two,three}"), "without waiting").toEqual([
    { space_id: "one", version: 2, is_pending: false },
    { space_id: "two", version: 1, is_pending: true },
    { space_id: "three", version: 1, is_pending: false },
  ]);
  await other.run("rollback");
  expect(await reach("{two}")).toEqual([{ space_id: "two", version: 2, is_pending: false }]);
  expect(await notes()).toBe(0);
});

test("P3, P5: what a recording takes is not forgotten where it is rolled back, and not before it commits", async () => {
  const seen = (await record()).seen;
  for (let n = 0; n < 3; n++) await s.run(insert(`a${n}`, "one"));
  await other.run("begin");
  expect(await record(seen, [], 2000, other)).toMatchObject(whole(3));
  const isPending = () => relay.query("select is_pending, version::int from sync.reach('{one}')");
  expect(await isPending()).toEqual([{ is_pending: true, version: null }]);
  await other.run("rollback");
  expect(await isPending()).toEqual([{ is_pending: false, version: 1 }]);
});
