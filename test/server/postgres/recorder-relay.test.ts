import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { Session, useSession } from "../../support/postgres/session.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

const say = (spaceId: string, name: string) =>
  session.query("insert into intentions (location_id, name) values ($1, $2)", [spaceId, name]);
const read = async (metric: "awake" | "recordings" | "wakeUps") =>
  (await relay.current.metrics[metric].get()).values[0]?.value ?? 0;
const status = (column: string) => session.value(`select ${column} from sync.status`);
/** Also another test file's open write can keep it from falling asleep. */
const PATIENCE = { timeout: 25_000 };
const fallsAsleep = () => expect.poll(() => status("awake or recorder is not null"), PATIENCE).toBe(false);

/** Writes until the relay is awake. */
async function keepBusy(spaceId: string) {
  for (let n = 0; (await read("awake")) === 0; n++) await say(spaceId, `busy ${n}`);
}

test("P12: a busy relay wakes and commits do not notify, a quiet one sleeps again, and its clients miss nothing", async () => {
  const spaceId = await newSpace(relay.current);
  const stream = await openStream(streamUrl(relay.current.url, spaceId));
  const until = (name: string) => stream.until((events) => events.some(({ data }) => data?.name === name));
  await fallsAsleep();
  const asleep = await read("wakeUps");
  await say(spaceId, "by itself");
  await until("by itself");
  expect(await read("wakeUps")).toBe(asleep + 1);
  expect(await read("awake")).toBe(0);

  await keepBusy(spaceId);
  expect(await status("awake")).toBe(true);
  // Many commits, and far fewer notifications: one a recording.
  const before = await read("wakeUps");
  await Promise.all(Array.from({ length: 200 }, (_, n) => say(spaceId, `together ${n}`)));
  await until("together 199");
  expect(await read("awake")).toBe(1);
  expect((await read("wakeUps")) - before).toBeLessThan(200);

  await fallsAsleep();
  const again = await read("wakeUps");
  await say(spaceId, "by itself again");
  const events = await until("by itself again");
  expect(await read("wakeUps")).toBe(again + 1);
  const versions = events.map(({ version }) => version);
  expect(versions).toEqual(versions.toSorted((a, b) => a - b));
  const names = events.map(({ data }) => data?.name).filter((name) => name?.startsWith("together"));
  expect(new Set(names).size).toBe(200);
  stream.close();
});

test("P12: while a relay is awake the API answers with a version that has the change", async () => {
  const spaceId = await newSpace(relay.current);
  await keepBusy(spaceId);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => post(relay.current, "intentions", { action: "create", spaceId })),
  );
  for (const { status, body } of answers) {
    expect(status).toBe(200);
    const recorded = await session.value("select version::int from sync.changes where entity_id = $1", [
      body.data.id,
    ]);
    expect(body.version).toBeGreaterThanOrEqual(recorded as number);
  }
});

test("P8, P12: a session that holds a space holds up neither the writers in it nor the recording of the others", async () => {
  const [held, free] = [await newSpace(relay.current), await newSpace(relay.current)];
  await keepBusy(held);
  const holder = await Session.open(db);
  await holder.run("begin");
  await holder.query("select from sync.spaces where space_id = $1 for update", [held]);
  const waiting = Array.from({ length: 12 }, () =>
    post(relay.current, "intentions", { action: "create", spaceId: held }),
  );
  await keepBusy(free);
  await say(free, "goes on");
  const version = () => session.value("select version::int from sync.spaces where space_id = $1", [free]);
  const before = (await version()) as number;
  await say(free, "and on");
  await expect.poll(version).toBeGreaterThan(before);
  for (const answer of await Promise.all(waiting)) expect(answer.status).toBe(200);
  await holder.run("rollback");
  await expect.poll(() => status("notes::int")).toBe(0);
});
