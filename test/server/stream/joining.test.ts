import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

const say = (spaceId: string, name: string) =>
  session.query("insert into public.intentions (location_id, name) values ($1, $2)", [spaceId, name]);
const read = async (counter: "catchUps" | "snapshots") =>
  (await relay.current.metrics[counter].get()).values[0]?.value ?? 0;

test("P3: a client that joins while the last other one leaves misses nothing, 100 times", async () => {
  const spaceId = await newSpace(relay.current);
  let before = await openStream(streamUrl(relay.current.url, spaceId));
  let [{ version }] = (await before.until((events) => events.length === 1)) as [{ version: number }];
  for (let n = 0; n < 100; n++) {
    // With its own cursor, and with a snapshot: the leaving, the joining and the message are under way together.
    const joining = openStream(streamUrl(relay.current.url, spaceId, n % 2 === 0 ? version : undefined));
    const said = say(spaceId, `${n}`);
    before.close();
    const stream = await joining;
    await said;
    const has = (events: { data?: { name: string }; intentions?: { name: string }[] }[]) =>
      events.some(
        (event) =>
          event.data?.name === `${n}` || event.intentions?.some((intention) => intention.name === `${n}`),
      );
    // Sooner than the backstop would find it.
    const events = await stream.until(has, 4_000);
    version = events.at(-1).version;
    expect(version).toBe(n + 2);
    before = stream;
  }
  before.close();
});

test("clients that join together at one cursor share one query of the database", async () => {
  const spaceId = await newSpace(relay.current);
  await say(spaceId, "missed");
  const before = await read("catchUps");
  // Holds up what reads changes, but not what opens a stream.
  await session.run("begin", "lock table sync.changes in access exclusive mode");
  const streams = await Promise.all(
    Array.from({ length: 50 }, () => openStream(streamUrl(relay.current.url, spaceId, 1))),
  );
  await session.run("commit");
  for (const stream of streams) {
    expect(await stream.until((events) => events.length === 1)).toMatchObject([
      { prev: 1, version: 2, data: { name: "missed" } },
    ]);
  }
  // One for all of them, and one that finds nothing more.
  expect((await read("catchUps")) - before).toBeLessThanOrEqual(3);
  for (const stream of streams) stream.close();
});

test("clients that join together without a cursor share one snapshot", async () => {
  const spaceId = await newSpace(relay.current);
  const before = await read("snapshots");
  await session.run("begin", "lock table public.intentions in access exclusive mode");
  const streams = await Promise.all(
    Array.from({ length: 50 }, () => openStream(streamUrl(relay.current.url, spaceId))),
  );
  await session.run("commit");
  for (const stream of streams) {
    expect(await stream.until((events) => events.length === 1)).toMatchObject([{ type: "space-sync" }]);
  }
  expect((await read("snapshots")) - before).toBe(1);
  for (const stream of streams) stream.close();
});

test("one message to 50 clients of a space is one query and one frame", async () => {
  const spaceId = await newSpace(relay.current);
  const streams = await Promise.all(
    Array.from({ length: 50 }, () => openStream(streamUrl(relay.current.url, spaceId, 1))),
  );
  await say(spaceId, "first");
  for (const stream of streams) await stream.until((events) => events.length === 1);
  const before = await read("catchUps");
  await say(spaceId, "hello");
  const texts = new Set<string | undefined>();
  for (const stream of streams) {
    await stream.until((events) => events.length === 2);
    texts.add(stream.messages.filter((message) => !message.event)[1]?.data);
    stream.close();
  }
  expect(texts.size).toBe(1);
  // The wake-up, and whatever the backstop's look may add.
  expect((await read("catchUps")) - before).toBeLessThanOrEqual(2);
});

test("many clients that join, leave and rejoin at random moments all end at the newest version", async () => {
  const spaceId = await newSpace(relay.current);
  const total = 60;
  const client = async (seed: number) => {
    let since: string | undefined;
    const seen = new Set<string>();
    for (let turn = 1; ; turn++) {
      const stream = await openStream(streamUrl(relay.current.url, spaceId, since));
      // Leaves between two groups: within one, the cursor has not moved yet.
      const events = await stream.until(
        (all) => all.at(-1)?.cursor && (all.length > (seed + turn) % 4 || isLast(all)),
      );
      stream.close();
      for (const event of events) {
        for (const intention of event.intentions ?? [event.data]) seen.add(intention.name);
        since = event.cursor ?? since;
      }
      if (seen.has(`${total}`)) return seen.size;
    }
  };
  const isLast = (events: { data?: { name?: string } }[]) => events.at(-1)?.data?.name === `${total}`;
  const clients = Promise.all(Array.from({ length: 8 }, (_, seed) => client(seed)));
  for (let n = 1; n <= total; n++) await say(spaceId, `${n}`);
  expect(new Set(await clients)).toEqual(new Set([total]));
});
