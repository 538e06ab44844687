import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { awake } from "../support/postgres/awake.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session, useSession } from "../support/postgres/session.js";
import { eventsSince, faults, inShort, recordOf, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);
const other = useSession(db);
const relay = useSession(db);
let heard: (string | undefined)[] = [];

beforeAll(async () => {
  s.client.on("notification", ({ payload }) => heard.push(payload));
  await s.run("listen spacefeed");
});

beforeEach(() => relay.run("truncate beings, intentions, sync.spaces, sync.changes, sync.notes", ...silent));

afterEach(async () => {
  for (const session of [s, other]) await session.run("rollback", "reset all"); // of a test that failed
  expect(await faults(relay)).toEqual([]);
});

/** Nobody has ever listened. */
const silent = ["select setval('sync.listening_until', 0), setval('sync.recording_until', 0)"];
const insert = (id: string, space = "one") =>
  `insert into beings (id, location_id) values ('${id}', '${space}')`;
const many = (id: string, space = "one", count = 1001) =>
  `insert into beings (id, location_id) select '${id}' || n, '${space}' from generate_series(1, ${count}) n`;
const notes = () => relay.value("select count(*)::int from sync.notes");

/** What is heard of transactions of the listener: it comes before the answer to the next statement. */
async function notified(...statements: string[]): Promise<(string | undefined)[]> {
  heard = [];
  await s.run(...statements, "select 1");
  return heard.sort();
}

test("P12: a commit records itself and notifies while relays listen and all sleep", async () => {
  await relay.run("select sync.relay_seen()");
  expect(await notified(insert("a"))).toEqual(["1 one"]);
  expect(await notified("begin", insert("b"), insert("c", "two"), "commit")).toEqual(["1 two", "2 one"]);
  expect(await notes()).toBe(0);
});

test("P12: where no relay listens, a commit records itself and notifies nobody", async () => {
  expect(await notified(insert("a"))).toEqual([]);
  expect([await versionOf(relay, "one"), await notes()]).toEqual([1, 0]);
  await relay.run(
    "select setval('sync.listening_until', extract(epoch from now() - '1 second'::interval)::bigint * 1000)",
  );
  expect(await notified(insert("b")), "a relay that has been silent for a minute").toEqual([]);
  expect([await versionOf(relay, "one"), await notes()]).toEqual([2, 0]);
});

test("P12: while a relay is awake a commit leaves its notes, and neither records, locks nor notifies", async () => {
  await relay.run(awake);
  expect(await notified(insert("a"), "begin", insert("b"), insert("c", "two"), "commit")).toEqual([]);
  expect([await notes(), await relay.query("table sync.spaces")]).toEqual([3, []]);
  await s.run("begin", insert("d"), "set constraints all immediate", insert("e"));
  expect(
    await relay.query(
      `select distinct c.relname from pg_locks l join pg_class c on c.oid = l.relation
       where l.pid = $1 and c.relname in ('spaces', 'changes') and l.mode ~ 'Exclusive'`,
      [s.pid],
    ),
  ).toEqual([]);
  await s.run("commit");
  expect(await relay.query("select filed::int, is_more, left_behind, failed from sync.record()")).toEqual([
    { filed: 5, is_more: false, left_behind: [], failed: [] },
  ]);
  await s.run("select 1");
  expect(heard.sort(), "once for all of them").toEqual(["1 one", "1 two"]);
  expect(await recordOf(relay, "one")).toHaveLength(4);
});

test("P12: a relay that says that it records no longer, or nothing for 2 s, leaves commits to themselves", async () => {
  await relay.run(awake, "select sync.relay_seen(false)");
  expect(await notified(insert("a"))).toEqual(["1 one"]);
  await relay.run("select sync.relay_seen(true)");
  const ms = "(select last_value from sync.recording_until) - extract(epoch from clock_timestamp()) * 1000";
  expect(await relay.value(`select ${ms} between 0 and 2000`)).toBe(true);
  await relay.run(awake, "select sync.relay_seen()"); // another one, that only listens, changes nothing of it
  expect(await notified(insert("b"))).toEqual([]);
  // What is left over of the 2 s is taken away, instead of waited for.
  await relay.run(
    "select setval('sync.recording_until', (extract(epoch from clock_timestamp()) * 1000)::bigint - 1)",
  );
  expect(await notified(insert("c")), "with what was left before").toEqual(["2 one"]);
  expect([await notes(), await recordOf(relay, "one")]).toEqual([
    0,
    ["being a 1..1", "being b 2..2", "being c 2..2"],
  ]);
});

test("P12: that relays listen, and that one records, counts at once: also for a transaction that began before", async () => {
  await s.run("begin isolation level read committed", "select 1", insert("a"));
  await relay.run(awake);
  expect(await notified("commit")).toEqual([]);
  expect(await notes()).toBe(1);
  await s.run("begin", insert("b"));
  await relay.run("select sync.relay_seen(false)");
  expect(await notified("commit")).toEqual(["1 one"]);
  await s.run("begin isolation level repeatable read", "select 1", insert("c"));
  await relay.run(...silent);
  expect(await notified("commit")).toEqual([]);
});

test("P4: a sign of life in a transaction that is rolled back has been given", async () => {
  await relay.run("begin", awake, "rollback");
  expect(await notified(insert("a"))).toEqual([]);
  expect(await notes()).toBe(1);
  await relay.run("select sync.record()");
});

test("P12: a sign of life says whether commits have been notifying until now", async () => {
  const seen = (records: boolean | null) => relay.value("select sync.relay_seen($1)", [records]);
  expect(await seen(null), "the first one").toBe(false);
  for (const records of [null, true, false]) expect(await seen(records)).toBe(true);
  for (const [seconds, counted] of [
    [50, true],
    [31, true],
    [29, false], // in doubt
    [-60, false],
  ] as const) {
    const until = "(extract(epoch from clock_timestamp()) + $1) * 1000";
    await relay.query(`select setval('sync.listening_until', (${until})::bigint)`, [seconds]);
    expect([seconds, await seen(null)]).toEqual([seconds, counted]);
    expect(await seen(null)).toBe(true);
  }
});

test.each(["repeatable read", "serializable"])(
  "P12: a %s transaction is left to a relay, which is told, whoever sleeps",
  async (level) => {
    const write = (id: string) => [`begin isolation level ${level}`, insert(id), "commit"];
    expect(await notified(...write("a")), "nobody listens").toEqual([]);
    await relay.run("select sync.relay_seen()");
    expect(await notified(...write("b"))).toEqual(["record"]);
    await relay.run(awake);
    expect(await notified(...write("c")), "it will come by").toEqual([]);
    expect([await notes(), await versionOf(relay, "one")]).toEqual([3, 0]);
    await relay.run("select sync.record()");
    expect(await recordOf(relay, "one")).toEqual(["being a 1..1", "being b 1..1", "being c 1..1"]);
  },
);

test("P12: who does not wait for the disk is left to a relay, which is told", async () => {
  await relay.run("select sync.relay_seen()");
  expect(await notified("set synchronous_commit = off", insert("a"), many("b"))).toEqual([
    "record",
    "record",
  ]);
  expect([await notes(), await versionOf(relay, "one")]).toEqual([2, 0]);
  expect(await notified("set synchronous_commit = local", insert("c"))).toEqual(["1 one"]);
  expect(await notes()).toBe(0);
});

test("P12: who has changed many rows records himself, also while a relay is awake", async () => {
  await relay.run(awake, "insert into intentions (location_id) values ('one')");
  expect(await notified(many("few", "one", 1000))).toEqual([]);
  expect(await notes()).toBe(2);
  expect(await notified(many("many")), "and what waits in his spaces").toEqual(["1 one"]);
  expect(await notes()).toBe(0);
  for (const statement of ["update beings set name = 'x'", "delete from beings where id like 'many%'"]) {
    expect(await notified(statement)).toHaveLength(1);
  }
  expect(await notified("truncate beings")).toEqual(["4 one"]);
  expect([await notes(), await eventsSince(relay, "one", 3)]).toEqual([0, null]);
});

test("P12: who has run many commands in his transaction records himself, all of it in one version", async () => {
  await relay.run(awake);
  const loop = (count: number) => `do $$ begin
    for n in 1..${count} loop insert into public.beings (location_id) values ('one'), ('two'); end loop; end $$`;
  expect(await notified("begin", loop(100), "commit")).toEqual([]);
  expect(await notified("begin", loop(1100), "commit")).toEqual(["1 one", "1 two"]);
  expect(await notes()).toBe(0);
  expect(await notified("begin", many("more"), insert("a"), insert("b", "three"), "commit")).toEqual([
    "1 three",
    "2 one",
  ]);
  expect([await notes(), await versionOf(relay, "one")]).toEqual([0, 2]);
});

test("P1: who has recorded in his transaction goes on in the same version, also when a relay wakes meanwhile", async () => {
  await s.run("begin", insert("a"), "set constraints all immediate");
  await relay.run(awake);
  expect(await notified(insert("b"), "set constraints all deferred", insert("c"), "commit")).toEqual([
    "1 one",
  ]);
  expect([await notes(), await recordOf(relay, "one")]).toEqual([
    0,
    ["being a 1..1", "being b 1..1", "being c 1..1"],
  ]);
});

test("P8: a space that another one is recording is left, and a relay is told: the others are recorded", async () => {
  await relay.run("select sync.relay_seen()");
  await other.run("begin", insert("a"), "set constraints all immediate");
  expect(await notified("begin", insert("b"), insert("b2", "two"), "commit")).toEqual(["1 two", "record"]);
  expect(await notes()).toBe(1);
  await other.run("commit");
  await s.run("select 1"); // hears of that
  expect(await notified(insert("c")), "the next commit takes it along").toEqual(["2 one"]);
  expect(await recordOf(relay, "one")).toEqual(["being a 1..1", "being b 2..2", "being c 2..2"]);
});

test("P8: a recording that fails is left to a relay, which is told: the commit does not fail", async () => {
  await relay.run(
    "select sync.relay_seen()",
    `create function broken() returns trigger language plpgsql as $$ begin raise exception 'disk quota'; end $$`,
    "create trigger broken before insert on sync.changes for each row execute function broken()",
  );
  expect(await notified(insert("a"))).toEqual(["record"]);
  await relay.run("drop trigger broken on sync.changes", "select sync.record()");
  expect(await recordOf(relay, "one")).toEqual(["being a 1..1"]);
});

test("P4: what is rolled back leaves no note and tells nobody, asleep and awake", async () => {
  for (const state of ["select sync.relay_seen()", awake]) {
    await relay.run(state);
    expect(
      await notified(
        "begin",
        insert("a"),
        "set constraints all immediate",
        "rollback",
        "begin",
        "savepoint one",
        many("b"),
        "rollback to savepoint one",
        "commit",
      ),
    ).toEqual([]);
    expect([await notes(), await versionOf(relay, "one")]).toEqual([0, 0]);
  }
});

test("P12: sync.reset() notifies for each space whoever listens, and takes what waits with it", async () => {
  await relay.run(awake);
  await s.run(insert("a"), insert("b", "two"));
  await relay.run(...silent);
  expect(await notified("select sync.reset()")).toEqual(["1 one", "1 two"]);
  expect(await notes()).toBe(0);
});

test("P3: notes that a relay has left are taken by the one that comes after it", async () => {
  await relay.run(awake);
  await s.run(insert("a"), insert("b", "two"), "update beings set name = 'x'");
  const next = await Session.open(db);
  expect(await next.value("select sync.lead(true)")).toBe(true);
  expect(inShort(await eventsSince(next, "one", 0))).toEqual([]);
  await next.run("select sync.record()", "select sync.lead(false)");
  expect(inShort(await eventsSince(next, "one", 0))).toEqual(["being-created a"]);
  expect(inShort(await eventsSince(next, "two", 0))).toEqual(["being-created b"]);
});

test("P12: one session at a time has the lead: till it gives it back, ends, or is killed", async () => {
  const lead = (session: Session, wanted: boolean) => session.value("select sync.lead($1)", [wanted]);
  const [first, second] = [await Session.open(db), await Session.open(db)];
  expect([await lead(first, true), await lead(second, true), await lead(first, true)]).toEqual([
    true,
    false,
    true,
  ]);
  expect(await lead(first, false), "given back, though taken twice").toBe(false);
  expect([await lead(second, true), await lead(first, true)]).toEqual([true, false]);
  await relay.query("select pg_terminate_backend($1, 10000)", [second.pid]);
  expect(await lead(first, true)).toBe(true);
  // Of one that hangs the server frees the lock: its session is silent for more than 3 s.
  expect(await first.value("show idle_session_timeout")).toBe("3s");
  expect(await lead(first, false)).toBe(false);
  expect(await first.value("show idle_session_timeout")).toBe("0");
});
