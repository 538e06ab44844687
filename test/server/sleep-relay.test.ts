import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/database.js";
import { post, useRelay } from "../support/relay.js";
import { Session } from "../support/session.js";
import { newSpace } from "../support/space.js";
import { openStream, streamUrl } from "../support/stream.js";

const db = useDatabase();
const relay = useRelay(db);
let session: Session;

beforeAll(async () => {
  session = await Session.open(db);
});

const say = (spaceId: string, name: string) =>
  session.query("insert into intentions (location_id, name) values ($1, $2)", [spaceId, name]);
const read = async (metric: "awake" | "polls" | "wakeUps" | "sleepChanges") =>
  (await relay.current.metrics[metric].get()).values[0]?.value ?? 0;
const isAsleep = () => session.value("select asleep from sync.relays");
/** Also another test file's open write can keep it from falling asleep. */
const PATIENCE = { timeout: 25_000 };
/** Asleep, and polling no more. */
async function fallsAsleep() {
  await expect.poll(isAsleep, PATIENCE).toBe(true);
  const polls = async () => {
    const before = await read("polls");
    await session.query("select pg_sleep(0.1)"); // two pauses between polls
    return (await read("polls")) - before;
  };
  await expect.poll(polls, PATIENCE).toBe(0);
}

/** Writes until the relay is awake. */
async function keepBusy(spaceId: string) {
  for (let n = 0; (await read("awake")) === 0; n++) await say(spaceId, `busy ${n}`);
}

test("P12: a busy relay wakes and writers stop notifying, a quiet one sleeps again, and its clients miss nothing", async () => {
  const spaceId = await newSpace(relay.current);
  const stream = await openStream(streamUrl(relay.current.url, spaceId));
  const until = (name: string) => stream.until((events) => events.some(({ data }) => data?.name === name));
  await fallsAsleep();
  const asleep = await read("wakeUps");
  await say(spaceId, "by notification");
  await until("by notification");
  expect(await read("wakeUps")).toBe(asleep + 1);
  expect(await read("awake")).toBe(0);

  await keepBusy(spaceId);
  await expect.poll(isAsleep).toBe(false);
  // Busy, or it would fall asleep meanwhile.
  let awake = await read("wakeUps");
  const polls = await read("polls");
  for (let n = 0; n < 20; n++) {
    await say(spaceId, `by poll ${n}`);
    await until(`by poll ${n}`);
    if (n === 0) awake = await read("wakeUps"); // those of before are in
  }
  expect(await read("wakeUps")).toBe(awake);
  expect(await read("polls")).toBeGreaterThan(polls);

  await fallsAsleep();
  const again = await read("wakeUps");
  await say(spaceId, "by notification again");
  await until("by notification again");
  expect(await read("wakeUps")).toBe(again + 1);
  const events = await until("by notification again");
  const versions = events.map(({ version }) => version);
  expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
  stream.close();
});

test("P12: a pool whose every connection waits holds up no poll", async () => {
  const spaceId = await newSpace(relay.current);
  await keepBusy(spaceId);
  const holder = await Session.open(db);
  await holder.run("begin");
  await holder.query("select from sync.spaces where space_id = $1 for update", [spaceId]);
  const waiting = Array.from({ length: 12 }, () =>
    post(relay.current, "intentions", { action: "create", spaceId }),
  );
  const blocked = `select count(*)::int from pg_stat_activity
    where datname = current_database() and application_name = 'spacefeed' and wait_event_type = 'Lock'`;
  await expect.poll(() => session.value(blocked)).toBe(10);
  const before = await read("polls");
  await expect.poll(() => read("polls")).toBeGreaterThan(before + 20);
  await holder.run("rollback");
  for (const answer of await Promise.all(waiting)) expect(answer.status).toBe(200);
});
