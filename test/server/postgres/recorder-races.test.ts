import { afterEach, beforeEach, expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { useRecorders } from "../../support/postgres/recorder.js";
import { type Session, useSession } from "../../support/postgres/session.js";
import { faults } from "../../support/relay/feed.js";

const db = useDatabase();
const makeRecorder = useRecorders(db);
const writer = useSession(db);
const other = useSession(db);
const observer = useSession(db);
let spaceId: string;
let made = 0;

beforeEach(async () => {
  spaceId = `space-${++made}`;
  await writer.query("insert into beings (id, type) values ($1, 'space')", [spaceId]);
});

afterEach(async () => {
  for (const session of [writer, other]) await session.run("rollback"); // of a test that failed
  await observer.run("select sync.record()");
  expect(await faults(observer)).toEqual([]);
});

const say = (session: Session, where = spaceId) =>
  session.query("insert into intentions (location_id) values ($1)", [where]);
const isAwake = () => observer.value("select awake from sync.status");
const waiting = () => observer.value("select notes::int from sync.status");
const version = (where = spaceId) =>
  observer.value("select version::int from sync.spaces where space_id = $1", [where]);
const RECORDERS = `select pid from pg_stat_activity
  where application_name = 'spacefeed recorder' and datname = current_database()`;
const LEADER = "select recorder from sync.status";
const leads = async () => (await observer.value(LEADER)) !== null;

test("P12: while a relay sleeps a commit records itself, while it is awake the relay does, and then it sleeps again", async () => {
  const relay = makeRecorder();
  await relay.sleeps();
  await expect.poll(leads).toBe(false);
  expect(await isAwake()).toBe(false);
  await say(writer);
  expect(await version()).toBe(2);
  await relay.sees(spaceId);

  await relay.wake();
  expect(await isAwake()).toBe(true);
  expect(await leads()).toBe(true);
  relay.forget();
  await relay.beforeRecording(async () => {
    await say(writer);
    expect([await version(), await waiting(), relay.woken]).toEqual([2, 1, []]);
  });
  await relay.sees(spaceId);
  expect([await version(), await waiting()]).toEqual([3, 0]);

  relay.mayNod();
  await relay.becomes("asleep");
  await expect.poll(leads).toBe(false);
  expect(await isAwake()).toBe(false);
  relay.forget();
  await say(writer);
  expect(await version()).toBe(4);
  await relay.sees(spaceId);
});

test("P12: a writer that left its notes to a relay, and commits after that has said that it stops, is waited for", async () => {
  const relay = makeRecorder();
  await relay.sleeps();
  await relay.wake();
  await writer.run("begin");
  await say(writer);
  await writer.run("set constraints all immediate"); // decides now, and commits later
  relay.mayNod();
  await relay.becomes("settling");

  const elsewhere = `${spaceId}-other`;
  for (let n = 1; n <= 5; n++) {
    relay.forget();
    await say(other, elsewhere);
    expect(await version(elsewhere)).toBe(n); // records itself
    await relay.sees(elsewhere);
    await relay.records(2);
    expect([relay.recorder.at, relay.woken.includes(spaceId)]).toEqual(["settling", false]);
  }
  relay.forget();
  await writer.run("commit");
  await relay.sees(spaceId);
  await relay.becomes("asleep");
  expect(await version()).toBe(2);
  expect(relay.left, "it had left it, and told nobody").toBe(0);
});

test("P12: it waits for the transaction whose xid is the last below the one that it has drawn, and for no other", async () => {
  const relay = makeRecorder();
  const draw = relay.database.drawXid.bind(relay.database);
  const xids: bigint[] = [];
  // Other test files draw xids, too: until there is none between the writer's and the relay's.
  relay.database.drawXid = async () => {
    for (;;) {
      await writer.run("begin");
      const before = BigInt((await writer.value("select pg_current_xact_id()")) as string);
      const drawn = await draw();
      if (drawn === before + 1n) {
        xids.push(before, drawn);
        return drawn;
      }
      await writer.run("rollback");
    }
  };
  await relay.start();
  await relay.becomes("settling");
  // What the others have open may have ended or not: in the end it is the writer alone.
  await expect
    .poll(
      async () => BigInt((await observer.value("select pg_snapshot_xmin(pg_current_snapshot())")) as string),
      { timeout: 25_000 },
    )
    .toBe(xids[0]);
  await relay.records(5);
  expect(relay.recorder.at).toBe("settling");
  await writer.run("rollback");
  await relay.becomes("asleep");
  expect(xids[1]).toBe((xids[0] as bigint) + 1n);
});

test.for(["repeatable read", "serializable"])(
  "P6, P12: a %s writer leaves it to a relay that sleeps, and that records it",
  async (level) => {
    const relay = makeRecorder();
    await relay.sleeps();
    await writer.run(`begin isolation level ${level}`, "select from intentions");
    await say(other);
    await say(writer);
    await writer.run("commit");
    await expect.poll(version).toBe(3);
    expect(relay.left).toBeGreaterThan(0);
    expect(relay.recorder.at).toBe("asleep");
  },
);

test("P8, P12: a commit does not wait for one that holds its space; a relay records both when that one has ended", async () => {
  const relay = makeRecorder();
  await relay.sleeps();
  await other.run("begin");
  await say(other);
  await other.run("set constraints all immediate"); // has the space from now on
  for (let n = 0; n < 3; n++) await say(writer);
  await expect.poll(() => relay.left).toBeGreaterThan(0);
  await relay.records(3);
  expect([await version(), await waiting()]).toEqual([1, 3]);
  await other.run("commit");
  await expect.poll(waiting).toBe(0);
  expect(await version()).toBe(3); // its own, and one for the three
});

test("P12: of two relays one records, and the other one learns of it by notifications", async () => {
  const relays = [makeRecorder(), makeRecorder()] as const;
  for (const relay of relays) await relay.sleeps();
  await relays[0].wake();
  for (const relay of relays) relay.forget();
  await say(writer);
  for (const relay of relays) await relay.sees(spaceId);
  expect(await version()).toBe(2);
  const busy = makeRecorder({ busy: { notifications: 1, withinMs: 60_000 } });
  await busy.start();
  await busy.becomes("standby");
  await say(writer);
  await busy.sees(spaceId);
  expect(busy.recorder.at).toBe("standby");
});

test("P3, P12: a recorder whose session is killed amid its work is followed by the one that stands by, and nothing is lost", async () => {
  const [first, second] = [makeRecorder(), makeRecorder()];
  await first.sleeps();
  await first.wake();
  await second.start();
  await second.becomes("standby");
  const leader = await observer.value(LEADER);
  await first.beforeRecording(async () => {
    await say(writer);
    await observer.query("select pg_terminate_backend($1, 5000)", [leader]);
    await second.becomes("asleep"); // it has settled what was left
    await expect.poll(version).toBe(2);
  });
  expect(await isAwake()).toBe(false);
  await say(writer);
  expect(await version()).toBe(3);
});

test("P12: a recorder that hangs gives no sign of life: commits record themselves after 2 s, and another one takes its place", async () => {
  const [hanging, other] = [makeRecorder(), makeRecorder()];
  await hanging.sleeps();
  await hanging.wake();
  await other.start();
  await other.becomes("standby");
  await hanging.beforeRecording(async () => {
    await say(writer);
    expect(await version()).toBe(1);
    await expect.poll(isAwake, { timeout: 10_000 }).toBe(false);
    await say(writer);
    expect(await version(), "the commit records all that waits in its space").toBe(2);
    // The server ends its silent session.
    await other.becomes("asleep");
  });
  expect(await waiting()).toBe(0);
});

test("P12: where somebody's session sits on the lock, commits record themselves and what is left to a relay is recorded", async () => {
  await other.run("select sync.lead(true)", "set idle_session_timeout = 0");
  try {
    const relay = makeRecorder();
    await relay.start();
    await relay.becomes("standby");
    await say(writer);
    expect(await version()).toBe(2);
    await writer.run("begin isolation level repeatable read");
    await say(writer);
    await writer.run("commit");
    await expect.poll(version).toBe(3);
    expect(relay.recorder.at).toBe("standby");
  } finally {
    await other.run("select sync.lead(false)");
  }
});

test("P3, P12: what a relay that died awake has left is recorded by the next one that comes", async () => {
  await observer.run("select sync.relay_seen(true)");
  await say(writer);
  await observer.run("select sync.relay_seen(false)");
  expect([await version(), await waiting()]).toEqual([1, 1]);
  const relay = makeRecorder();
  await relay.start();
  await relay.sees(spaceId);
  expect([await version(), await waiting()]).toEqual([2, 0]);
});

test("P3, P12: a relay that stops while it is awake lets commits record themselves, and leaves nothing", async () => {
  const relay = makeRecorder();
  await relay.sleeps();
  await relay.wake();
  await say(writer);
  await relay.close();
  expect([await isAwake(), await waiting()]).toEqual([false, 0]);
  await say(writer);
  expect(await version()).toBeGreaterThan(2);
});

test("P3, P12: a relay that commits have not notified for a while finds out, looks at everything, and waits for who overlooked it", async () => {
  const relay = makeRecorder({ lifeMs: { awake: 500, other: 300 } });
  await relay.sleeps();
  await observer.run("select setval('sync.listening_until', 0)");
  await writer.run("begin");
  await say(writer);
  await writer.run("set constraints all immediate"); // records, and notifies nobody
  await relay.becomes("settling");
  await relay.sees("*");
  relay.forget();
  await writer.run("commit");
  await relay.sees("*");
  await relay.becomes("asleep");
  relay.forget();
  await say(writer);
  await relay.sees(spaceId);
  expect(relay.woken).toEqual([spaceId]);
});

test("P12: a sign of life that comes in time changes nothing", async () => {
  const relay = makeRecorder({ lifeMs: { awake: 500, other: 50 } });
  await relay.sleeps();
  const until = () => observer.value("select last_value::bigint from sync.listening_until");
  const before = await until();
  await expect.poll(until).not.toBe(before);
  expect([relay.recorder.at, relay.woken]).toEqual(["asleep", []]);
});

test("P12: a recording that finds itself on another connection is not believed: it may lead to another server", async () => {
  const relay = makeRecorder();
  await relay.sleeps();
  await relay.wake();
  relay.forget();
  await relay.beforeRecording(async () => {
    await observer.query(`select pg_terminate_backend(pid, 5000) from (${RECORDERS}) as r`);
    await say(writer);
    await expect.poll(() => relay.database.pool.totalCount).toBe(0);
  });
  await relay.sees(spaceId);
  relay.mayNod();
  await relay.becomes("asleep");
  expect(await waiting()).toBe(0);
});

test("P8: a space of which recording fails is set apart and told of, the others go on, and it is tried again", async () => {
  const relay = makeRecorder();
  await relay.sleeps();
  await relay.wake();
  await observer.run(`
    create function public.refuse() returns trigger language plpgsql as $$
    begin
      if new.space_id = '${spaceId}' then raise 'no room for it'; end if;
      return new;
    end $$;
    create trigger refuse before insert on sync.changes for each row execute function public.refuse()`);
  try {
    await say(writer);
    await expect.poll(() => relay.recorder.quarantine.failing).toEqual([spaceId]);
    await say(writer, `${spaceId}-other`);
    await relay.sees(`${spaceId}-other`);
    expect([await version(`${spaceId}-other`), await version()]).toEqual([1, 1]);
  } finally {
    await observer.run("drop function public.refuse() cascade");
  }
  await expect.poll(version, { timeout: 10_000 }).toBe(2);
  expect(relay.recorder.quarantine.failing).toEqual([]);
});

test("P8: a table that somebody has locked holds up the spaces with rows of it, and no others", async () => {
  const relay = makeRecorder();
  await relay.sleeps();
  await relay.wake();
  await relay.beforeRecording(async () => {
    await writer.query("insert into beings (location_id) values ($1)", [`${spaceId}-beings`]);
    await other.run("begin", "lock table beings in access exclusive mode");
  });
  await say(writer);
  await relay.sees(spaceId);
  expect((await version(`${spaceId}-beings`)) ?? 0).toBe(0);
  await other.run("rollback");
  await expect.poll(() => version(`${spaceId}-beings`), { timeout: 10_000 }).toBe(1);
});
