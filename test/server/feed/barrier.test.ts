import { get, type IncomingMessage } from "node:http";
import { expect, type TestContext, test } from "vitest";
import type { Relay } from "../../../src/server/relay.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { useCommand } from "../../support/process/command.js";
import { closing, PATIENTLY } from "../../support/relay/follow.js";
import { startTestRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const session = useSession(db);
const spacefeed = useCommand();

/** As much as no socket takes at once. */
const MUCH = 12_000_000;

const reached = (spaceId: string) => session.value("select sync.reached($1)::int", [spaceId]);
const comesTo = (spaceId: string, version: number | null) =>
  expect.poll(() => reached(spaceId), PATIENTLY).toBe(version);
/** What it is once every relay has answered a question that was put now. */
async function afresh(spaceId: string): Promise<unknown> {
  const now = await session.value("select clock_timestamp()::text");
  await reached(spaceId);
  const waited = "select count(*)::int from sync.readers where space_id = $1 and said_at > $2::timestamptz";
  const relays = await session.value("select count(*)::int from sync.relays");
  await expect.poll(() => session.value(waited, [spaceId, now]), PATIENTLY).toBe(relays);
  return reached(spaceId);
}
const say = (spaceId: string, bytes = 1) =>
  session.query(
    "insert into public.intentions (location_id, content) values ($1, jsonb_build_array(repeat('x', $2)))",
    [spaceId, bytes],
  );
const twoRelays = async (context: TestContext) =>
  [closing(context, await startTestRelay(db)), closing(context, await startTestRelay(db))] as const;

async function reader(context: TestContext, url: URL) {
  const stream = closing(context, await openStream(url));
  await stream.until((events) => events.length > 0);
  return stream;
}

/** A reader who has come, and reads no further. */
async function stoppedReader(context: TestContext, url: URL): Promise<IncomingMessage> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { headers: { Accept: "text/event-stream" } }, resolve).on("error", reject);
  });
  context.onTestFinished(() => void response.destroy());
  return response;
}

test("with no readers a space has reached its version, once every relay has said so", async (context) => {
  const [relay] = await twoRelays(context);
  const spaceId = await newSpace(relay);
  expect(await reached(spaceId)).toBeNull();
  await comesTo(spaceId, 1);
  expect(await reached("no such space")).toBeNull();
});

test("it is the lowest version of all readers, at whichever relay", async (context) => {
  const [one, other] = await twoRelays(context);
  const spaceId = await newSpace(one);
  await reader(context, streamUrl(one.url, spaceId));
  await reader(context, streamUrl(other.url, spaceId));
  await comesTo(spaceId, 1);
  await say(spaceId);
  await comesTo(spaceId, 2);
  const slow = await stoppedReader(context, streamUrl(other.url, spaceId, 2));
  await comesTo(spaceId, 2);
  await say(spaceId, MUCH);
  await say(spaceId);
  const witness = await reader(context, streamUrl(other.url, spaceId, 3));
  await witness.until((events) => events.at(-1).version === 4);
  for (let n = 0; n < 3; n++) expect(await afresh(spaceId)).toBe(2);
  slow.resume();
  await comesTo(spaceId, 4);
});

test("a reader that is not caught up yet counts with what it has, and with nothing if it has nothing", async (context) => {
  const relay = closing(context, await startTestRelay(db));
  const spaceId = await newSpace(relay);
  await say(spaceId, MUCH);
  await say(spaceId);
  const behind = await stoppedReader(context, streamUrl(relay.url, spaceId, 1));
  for (let n = 0; n < 3; n++) expect(await afresh(spaceId)).toBe(1);
  behind.resume();
  await comesTo(spaceId, 3);
  const fresh = await stoppedReader(context, streamUrl(relay.url, spaceId));
  for (let n = 0; n < 3; n++) expect(await afresh(spaceId)).toBe(0);
  fresh.destroy();
  await comesTo(spaceId, 3);
});

test("a reader of complete states counts, also where a change is of a type that it does not read", async (context) => {
  const relay = closing(context, await startTestRelay(db));
  const spaceId = await newSpace(relay);
  const url = new URL(`/api/sync?spaceId=${spaceId}&types=beings`, relay.url);
  await reader(context, url);
  await comesTo(spaceId, 1);
  await say(spaceId);
  await comesTo(spaceId, 2);
  await session.query("update public.beings set content = to_jsonb(repeat('x', $2)) where id = $1", [
    spaceId,
    MUCH,
  ]);
  await comesTo(spaceId, 3);
  const stopped = await stoppedReader(context, url);
  for (let n = 0; n < 3; n++) expect(await afresh(spaceId)).toBe(0);
  stopped.resume();
  await comesTo(spaceId, 3);
});

test("of a stream with many spaces each counts by itself", async (context) => {
  const [one, other] = await twoRelays(context);
  const spaces = [await newSpace(one), await newSpace(one)];
  const body = JSON.stringify({ spaces: Object.fromEntries(spaces.map((spaceId) => [spaceId, null])) });
  closing(
    context,
    await openStream(new URL("/api/stream", other.url), { "Content-Type": "application/json" }, body),
  );
  await comesTo(spaces[0] as string, 1);
  await say(spaces[1] as string);
  await comesTo(spaces[1] as string, 2);
  await comesTo(spaces[0] as string, 1);
});

test("a relay that hangs makes it unknown; one that was killed too, until it counts as gone", async (context) => {
  const relay = closing(context, await startTestRelay(db));
  const spaceId = await newSpace(relay);
  await reader(context, streamUrl(relay.url, spaceId));
  const own = await session.value("select relay from sync.relays");
  const child = spacefeed(["serve"], { DATABASE_URL: db.url, PORT: "0", DEMO: "false" });
  await child.until("stdout", /Spacefeed is at/);
  await comesTo(spaceId, 1);
  child.child.kill("SIGSTOP");
  await say(spaceId);
  // Of the child: an answer that was on its way when it was stopped has the other one missing for a moment.
  const isMissing = () =>
    session.value("select missing_since is not null from sync.relays where relay <> $1", [own]);
  // Its answer of before would do for 5 s more.
  await session.query("update sync.readers set said_at = said_at - interval '5 s'");
  await expect.poll(async () => [await reached(spaceId), await isMissing()], PATIENTLY).toEqual([null, true]);
  child.child.kill("SIGCONT");
  await comesTo(spaceId, 2);
  child.child.kill("SIGKILL");
  await child.end;
  await session.query("update sync.readers set said_at = said_at - interval '5 s'");
  await expect.poll(async () => [await reached(spaceId), await isMissing()], PATIENTLY).toEqual([null, true]);
  await session.query(
    "update sync.relays set missing_since = missing_since - interval '30 s' where relay <> $1",
    [own],
  );
  await comesTo(spaceId, 2);
  expect(await session.value("select count(*)::int from sync.relays")).toBe(1);
});

test("a relay that stops is not waited for", async (context) => {
  const [one, other] = await twoRelays(context);
  const spaceId = await newSpace(one);
  await comesTo(spaceId, 1);
  await other.close();
  await comesTo(spaceId, 1);
  expect(await session.value("select count(*)::int from sync.relays")).toBe(1);
});

const answers = async (relay: Relay) =>
  (await relay.metrics.queries.get()).values.find(
    ({ labels, metricName }) => metricName?.endsWith("_count") && labels.query === "tell_reached",
  )?.value;

test("nobody asks, and it costs nothing; many ask at once, and each relay answers in few queries", async (context) => {
  const relay = closing(context, await startTestRelay(db));
  const spaceId = await newSpace(relay);
  const stream = await reader(context, streamUrl(relay.url, spaceId));
  await say(spaceId);
  await stream.until((events) => events.at(-1).version === 2);
  expect(await answers(relay)).toBe(1);
  await session.query("select sync.reached(n::text) from generate_series(1, 500) n");
  await comesTo(spaceId, 2);
  expect(await answers(relay)).toBeLessThan(20);
});

test("wait_until_reached returns when all have what was committed before, and gives up when its patience ends", async (context) => {
  const [one, other] = await twoRelays(context);
  const spaceId = await newSpace(one);
  await reader(context, streamUrl(one.url, spaceId));
  const slow = await stoppedReader(context, streamUrl(other.url, spaceId));
  await session.query("select sync.relay_seen(true)"); // a relay is awake: what comes now waits to be recorded
  await say(spaceId, MUCH);
  await say(spaceId);
  await session.query(
    `create function public.pg_sleep(numeric) returns void language plpgsql
     as 'begin raise exception ''code of somebody else was called''; end'`,
  );
  const error = await session.outcome(
    `call sync.wait_until_reached('${spaceId}', patience => interval '500 ms')`,
  );
  expect(error.error).toMatchObject({
    code: "SF504",
    message: expect.stringMatching(/one has \d+ and no more$/),
  });
  slow.resume();
  await session.query(`call sync.wait_until_reached('${spaceId}')`);
  await session.query(`call sync.wait_until_reached('${spaceId}', 2)`);
  expect(await session.refusal("call sync.wait_until_reached('nowhere')")).toBe("SF404");
  expect(await session.refusal(`begin; call sync.wait_until_reached('${spaceId}', 1000); end`)).toBe("2D000");
  await session.query("rollback");
});
