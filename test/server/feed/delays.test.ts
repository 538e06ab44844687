import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { useRelay } from "../../support/relay/relay.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db);
const s = useSession(db);

/** How many delays have been told so far, and their sum in seconds. */
async function told(metric: "toRelay" | "toSocket") {
  const { values } = await relay.current.metrics[metric].get();
  const of = (suffix: string) => values.find(({ metricName }) => metricName?.endsWith(suffix))?.value ?? 0;
  return { count: of("_count"), sum: of("_sum") };
}
const counts = async () => [(await told("toRelay")).count, (await told("toSocket")).count];
const say = (spaceId: string) => s.query("insert into intentions (location_id) values ($1)", [spaceId]);

test("the delays are told once a space and read, however many readers there are", async () => {
  await say("hall");
  const streams = await Promise.all([1, 2, 3].map(() => openStream(streamUrl(relay.current.url, "hall"))));
  await Promise.all(streams.map((stream) => stream.until((events) => events.length === 1)));
  const before = await counts();
  for (let n = 2; n <= 4; n++) {
    await say("hall");
    await Promise.all(streams.map((stream) => stream.until((events) => events.length === n)));
  }
  expect(await counts()).toEqual(before.map((count) => count + 3));
  // Who comes back from an old cursor is no late delivery.
  const away = await openStream(streamUrl(relay.current.url, "hall", 1));
  await away.until((events) => events.length === 3);
  expect(await counts()).toEqual(before.map((count) => count + 3));
  for (const stream of [...streams, away]) stream.close();
});

test("commit to relay is as old as the recording, by the database's clock", async () => {
  await say("yard");
  const stream = await openStream(streamUrl(relay.current.url, "yard"));
  await stream.until((events) => events.length === 1);
  const before = await told("toRelay");
  // As if it had been an hour before it was read.
  await s.run(
    "begin",
    "insert into intentions (location_id) values ('yard')",
    "set constraints all immediate",
    "update sync.spaces set raised_at = raised_at - interval '1 hour' where space_id = 'yard'",
    "commit",
  );
  await stream.until((events) => events.length === 2);
  const { sum, count } = await told("toRelay");
  expect(count).toBe(before.count + 1);
  expect(sum - before.sum).toBeGreaterThanOrEqual(3_600);
  stream.close();
});
