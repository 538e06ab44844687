import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { useDatabase } from "../support/database.js";
import { progress, Session } from "../support/session.js";
import { useWatches } from "../support/watch.js";

const db = useDatabase();
const makeWatch = useWatches(db);
let writer: Session;
/** Holds the row of a space, and so whoever commits in it. */
let holder: Session;
let observer: Session;
let spaceId: string;
let made = 0;

beforeAll(async () => {
  [writer, holder, observer] = [await Session.open(db), await Session.open(db), await Session.open(db)];
});

beforeEach(async () => {
  spaceId = `space-${++made}`;
  await writer.query("insert into beings (id, type) values ($1, 'space')", [spaceId]);
});

afterEach(async () => {
  vi.useRealTimers();
  for (const session of [writer, holder]) await session.run("rollback"); // of a test that failed
});

const say = (session: Session, where = spaceId) =>
  session.query("insert into intentions (location_id) values ($1)", [where]);
const isAsleep = (relayId: string) =>
  observer.value("select asleep from sync.relays where relay_id = $1", [relayId]);

// Filed in one statement, which reads who sleeps and then waits for the space. One row reads it when it has the space.
const TWO_ROWS = "insert into intentions (location_id) values ($1), ($1)";

test("P12: a relay goes to sleep, wakes and goes to sleep again, and says so in sync.relays", async () => {
  const relay = makeWatch();
  await relay.start();
  await relay.becomes("asleep");
  expect(await isAsleep(relay.relayId)).toBe(true);
  await say(writer);
  await relay.sees(spaceId);
  expect(relay.notified).toEqual([spaceId]);

  await relay.wake();
  expect(await isAsleep(relay.relayId)).toBe(false);
  relay.forget();
  await say(writer);
  await relay.sees(spaceId);
  expect(relay.notified).toEqual([]);

  relay.mayNod();
  await relay.becomes("asleep");
  expect(await isAsleep(relay.relayId)).toBe(true);
  relay.forget();
  await say(writer);
  await relay.sees(spaceId);
  expect(relay.notified).toEqual([spaceId]);
  await relay.close();
  expect(await isAsleep(relay.relayId)).toBeUndefined();
});

test("P12: what is committed after a relay has said that it wakes, and before its first poll, is found by that", async () => {
  const relay = makeWatch();
  await relay.start();
  await relay.becomes("asleep");
  relay.forget();
  const held = relay.beforePoll(async () => {
    expect(await isAsleep(relay.relayId)).toBe(false);
    await say(writer);
  });
  await relay.wake();
  await held;
  await relay.sees(spaceId);
  expect([relay.notified, relay.woken.includes("*")]).toEqual([[], false]);
});

test("P12: a writer that read that nobody sleeps, and commits after the relay has said that it does, is waited for", async () => {
  const relay = makeWatch();
  await relay.start();
  await relay.becomes("asleep");
  await relay.wake();

  await holder.run("begin");
  await holder.query("select from sync.spaces where space_id = $1 for update", [spaceId]);
  const saying = writer.outcome(TWO_ROWS, [spaceId]);
  expect(await progress(observer, saying, writer, holder)).toBe("waits");
  relay.mayNod();
  await relay.becomes("dozing");
  expect(await isAsleep(relay.relayId)).toBe(true);
  await relay.polls(3);
  expect(relay.watch.at).toBe("dozing");

  relay.forget();
  await holder.run("rollback");
  expect((await saying).error).toBeUndefined();
  await relay.sees(spaceId);
  await relay.becomes("asleep");
  expect(relay.notified, "it had read that nobody sleeps").toEqual([]);
});

test("P12: a writer that stays open keeps the relay from relying on notifications, while others are seen at once", async () => {
  const relay = makeWatch();
  await relay.start();
  await relay.becomes("asleep");
  await relay.wake();
  await writer.run("begin");
  await say(writer);
  await writer.run("set constraints all immediate"); // files it now, and commits later
  relay.mayNod();
  await relay.becomes("dozing");

  const other = `${spaceId}-other`;
  for (let n = 0; n < 5; n++) {
    relay.forget();
    await say(holder, other);
    await relay.sees(other);
    await relay.polls(2);
    expect([relay.watch.at, relay.woken.includes(spaceId)]).toEqual(["dozing", false]);
  }
  relay.forget();
  await writer.run("commit");
  await relay.sees(spaceId);
  await relay.becomes("asleep");
  expect(relay.notified).toEqual([]);
});

test("P12: it waits for the transaction whose xid is the last below the one that it has drawn, and for no other", async () => {
  const relay = makeWatch();
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
  await relay.becomes("dozing");
  // What the others have open may have ended or not: in the end it is the writer alone.
  await expect
    .poll(
      async () => BigInt((await observer.value("select pg_snapshot_xmin(pg_current_snapshot())")) as string),
      {
        timeout: 25_000,
      },
    )
    .toBe(xids[0]);
  await relay.polls(5);
  expect(relay.watch.at).toBe("dozing");
  await writer.run("rollback");
  await relay.becomes("asleep");
  expect(xids[1]).toBe((xids[0] as bigint) + 1n);
});

test.for(["repeatable read", "serializable"])(
  "P12: a %s writer with a snapshot of when nobody slept notifies all the same",
  async (level) => {
    const relay = makeWatch();
    await relay.start();
    await relay.becomes("asleep");
    await relay.wake();
    await writer.run(`begin isolation level ${level}`);
    expect(await writer.value("select bool_or(asleep) from sync.relays")).toBe(false);
    relay.mayNod();
    await relay.becomes("asleep"); // it has no xid yet: nobody can know of it
    relay.forget();
    await say(writer);
    await writer.run("commit");
    await relay.sees(spaceId);
    expect(relay.notified).toEqual([spaceId]);
  },
);

test("P12: of two relays one is awake, and the writer notifies the one that sleeps", async () => {
  const [awake, asleep] = [makeWatch(), makeWatch()];
  for (const relay of [awake, asleep]) {
    await relay.start();
    await relay.becomes("asleep");
  }
  await awake.wake();
  for (const relay of [awake, asleep]) relay.forget();
  await say(writer);
  for (const relay of [awake, asleep]) await relay.sees(spaceId);
  expect(asleep.notified).toEqual([spaceId]);

  await asleep.wake();
  for (const relay of [awake, asleep]) relay.forget();
  await say(writer);
  for (const relay of [awake, asleep]) await relay.sees(spaceId);
  expect([awake.notified, asleep.notified]).toEqual([[], []]);
});

test("P12: a relay that died awake changes nothing for one that sleeps, and one that died asleep nothing for one that is awake", async () => {
  const relay = makeWatch();
  await relay.start();
  await relay.becomes("asleep");
  relay.forget();
  await observer.query("select sync.relay_seen('died awake', false)");
  await say(writer);
  await relay.sees(spaceId);
  expect(relay.notified).toEqual([spaceId]);

  await observer.query("select sync.relay_seen('died asleep', true)");
  await relay.wake();
  relay.forget();
  await say(writer);
  await relay.sees(spaceId);
  // For the dead one, for a minute.
  await expect.poll(() => relay.notified).toEqual([spaceId]);
  await observer.query(
    "update sync.relays set seen_at = seen_at - interval '1 minute' where relay_id like 'died%'",
  );
  relay.forget();
  await say(writer);
  await relay.sees(spaceId);
  expect(relay.notified).toEqual([]);
});

/** Its timers run by hand from here on: `vi.advanceTimersByTime(10_000)` is a sign of life. */
async function sleepingByHand() {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const relay = makeWatch({ signOfLifeMs: 10_000 });
  await relay.start();
  await relay.becomes("asleep");
  relay.forget();
  return relay;
}

test.for(["delete from sync.relays", "update sync.relays set seen_at = seen_at - interval '2 minutes'"])(
  "P12: a relay that writers do not count any more (%s) finds out, and looks at everything",
  async (change) => {
    const relay = await sleepingByHand();
    await observer.run(change);
    await say(writer);
    vi.advanceTimersByTime(10_000);
    await relay.sees("*");
    expect(relay.notified).toEqual([]);
    await relay.becomes("asleep");
    relay.forget();
    await say(writer);
    await relay.sees(spaceId);
    expect(relay.notified).toEqual([spaceId]);
  },
);

test("P12: a relay that was not counted for a while waits for the writer that has overlooked it", async () => {
  const relay = await sleepingByHand();
  await observer.run("delete from sync.relays");
  await holder.run("begin");
  await holder.query("select from sync.spaces where space_id = $1 for update", [spaceId]);
  const saying = writer.outcome(TWO_ROWS, [spaceId]);
  expect(await progress(observer, saying, writer, holder)).toBe("waits");
  vi.advanceTimersByTime(10_000);
  await relay.sees("*");
  await relay.polls(2);
  expect([relay.watch.at, await isAsleep(relay.relayId)]).toEqual(["dozing", true]);
  relay.forget();
  await holder.run("rollback");
  expect((await saying).error).toBeUndefined();
  await relay.sees(spaceId);
  await relay.becomes("asleep");
  expect(relay.notified).toEqual([]);
});

test("P12: a sign of life that comes in time changes nothing", async () => {
  const relay = await sleepingByHand();
  const before = await observer.value("select seen_at from sync.relays where relay_id = $1", [relay.relayId]);
  vi.advanceTimersByTime(10_000);
  const isLater = "select seen_at > $2 from sync.relays where relay_id = $1";
  await expect.poll(() => observer.value(isLater, [relay.relayId, before])).toBe(true);
  expect([relay.watch.at, relay.woken]).toEqual(["asleep", []]);
});

test("P12: a poll that finds itself on another connection is not believed: it may lead to another server", async () => {
  const relay = makeWatch();
  await relay.start();
  await relay.becomes("asleep");
  await relay.wake();
  relay.forget();
  await relay.beforePoll(async () => {
    await observer.query(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity
       where application_name = 'spacefeed watch' and datname = current_database()`,
    );
    await say(writer);
    await expect.poll(() => relay.database.pool.totalCount).toBe(0);
  });
  await relay.sees("*");
  relay.mayNod();
  await relay.becomes("asleep");
});
