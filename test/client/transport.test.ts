import { setTimeout as sleep } from "node:timers/promises";
import { expect, type TestContext, test, vi } from "vitest";
import type { SpaceClient } from "../../src/client/index.js";
import type { Mode } from "../../src/client/snapshot.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { closing, eventually, expectEqual, follow, followed } from "../support/relay/follow.js";
import { HttpProxy } from "../support/relay/http-proxy.js";
import { startTestRelay, useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";
import { TcpProxy } from "../support/relay/tcp-proxy.js";

// A dead line is noticed after 4.5 s, and polls come every 5 s: these tests wait for such things together.
const db = useDatabase();
const relay = useRelay(db);
const rare = useRelay(db, { heartbeatMs: 10_000 });
vi.setConfig({ testTimeout: 90_000 });
const session = useSession(db);

/** One statement after the other: the tests that run beside one another share the session. */
let queue: Promise<unknown> = Promise.resolve();
function sql(text: string, values: unknown[] = []): Promise<unknown> {
  queue = queue.then(() => session.query(text, values));
  return queue;
}
let said = 0;
const say = (spaceId: string) =>
  sql("insert into intentions (location_id, name) values ($1, $2)", [spaceId, `${++said}`]);

/** A client in realtime, in a space of its own, with a line that can be broken. */
async function begin(context: TestContext, relayUrl = relay.current.url) {
  const spaceId = await newSpace(relay.current);
  const { proxy, url } = await TcpProxy.before(relayUrl);
  closing(context, proxy);
  const client = await followed(context, { url, spaceId });
  await say(spaceId);
  await expectEqual(client, relay.current.url);
  return { client, proxy, spaceId, modes: modesOf(client) };
}

/** Each mode that a client is in from here on. */
function modesOf(client: SpaceClient): Mode[] {
  const modes = [client.getSnapshot().mode];
  client.subscribe(() => {
    const { mode } = client.getSnapshot();
    if (mode !== modes.at(-1)) modes.push(mode);
  });
  return modes;
}
const becomes = (client: SpaceClient, mode: Mode) =>
  eventually(() => expect(client.getSnapshot().mode).toBe(mode));

test.concurrent("the relay within reach: realtime, connected, no error, and the data of the database", async (context) => {
  const { client, spaceId, modes } = await begin(context);
  await say(spaceId);
  await sql("insert into beings (id, location_id, name) values ($1, $2, 'Bea')", [
    `b of ${spaceId}`,
    spaceId,
  ]);
  await expectEqual(client, relay.current.url);
  expect(client.getSnapshot()).toMatchObject({ mode: "realtime", connected: true, fault: null, spaceId });
  expect(modes).toEqual(["realtime"]);
});

test.concurrent("P3: a line that is cut comes back by itself, with what was missed", async (context) => {
  const { client, proxy, spaceId, modes } = await begin(context);
  for (let n = 2; n < 5; n++) {
    proxy.cut();
    await say(spaceId);
    await eventually(() => expect(modes.filter((mode) => mode === "realtime").length).toBe(n));
    await expectEqual(client, relay.current.url);
  }
  expect(client.getSnapshot().fault).toBeNull();
});

test.concurrent("P3: a relay that refuses: cache, with the reason; and back by itself", async (context) => {
  const { client, proxy, spaceId } = await begin(context);
  const before = client.getSnapshot();
  proxy.refuse();
  proxy.cut();
  await becomes(client, "cache");
  expect(client.getSnapshot()).toMatchObject({
    connected: false,
    error: null,
    fault: { code: "unavailable", message: expect.stringMatching(/does not answer/) },
  });
  expect(client.getSnapshot().data).toBe(before.data);
  await say(spaceId);
  await proxy.accept();
  await becomes(client, "realtime");
  await expectEqual(client, relay.current.url);
});

test.concurrent("P3: a relay that stops and starts again", async (context) => {
  const own = await startTestRelay(db);
  closing(context, own);
  const { client, spaceId, modes } = await begin(context, own.url);
  await own.close();
  await eventually(() => expect(modes).toContain("cache"));
  await say(spaceId);
  closing(context, await startTestRelay(db, { port: Number(new URL(own.url).port) }));
  await becomes(client, "realtime");
  await expectEqual(client, relay.current.url);
});

test.concurrent.for(["both", "to client"] as const)(
  "P3: a line that is silent (%s) is noticed, and comes back",
  async (directions, context) => {
    const { client, proxy, spaceId, modes } = await begin(context);
    proxy.swallow(directions);
    await say(spaceId);
    await eventually(() => expect(modes).toContain("polling"));
    await becomes(client, "cache");
    proxy.restore();
    await becomes(client, "realtime");
    await expectEqual(client, relay.current.url);
  },
);

test.concurrent("P3: a line that is silent towards the relay still brings what happens; when it is cut, it comes back", async (context) => {
  const { client, proxy, spaceId } = await begin(context);
  proxy.swallow("to server");
  await say(spaceId);
  await expectEqual(client, relay.current.url);
  expect(client.getSnapshot().mode).toBe("realtime");
  proxy.cut(); // new connections are silent, too
  await becomes(client, "cache");
  await say(spaceId);
  proxy.restore();
  proxy.cut();
  await becomes(client, "realtime");
  await expectEqual(client, relay.current.url);
});

test.concurrent("a relay whose heartbeat comes every 10 s is not held to be dead", async (context) => {
  const { client, spaceId, modes } = await begin(context, rare.current.url);
  await sleep(12_000); // longer than a silence of 4.5 s, and than a heartbeat
  await say(spaceId);
  await expectEqual(client, relay.current.url);
  expect(modes).toEqual(["realtime"]);
});

test.concurrent("a line on which everything takes 300 ms is realtime", async (context) => {
  const spaceId = await newSpace(relay.current);
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  proxy.delayMs = 300;
  const client = await followed(context, { url: proxy.url, spaceId });
  const modes = modesOf(client);
  for (let n = 0; n < 20; n++) await say(spaceId);
  const stored = client.createIntention({ name: "mine" });
  expect(client.getSnapshot().pendingIds.size).toBe(1);
  await stored;
  await sleep(6_000);
  await expectEqual(client, relay.current.url);
  expect(modes).toEqual(["realtime"]);
});

test.concurrent("P3: a client that was away for more than the stream brings in events gets the whole state", async (context) => {
  const { client, proxy, spaceId } = await begin(context);
  proxy.refuse();
  proxy.cut();
  await becomes(client, "cache");
  await sql("insert into intentions (location_id, name) select $1, n::text from generate_series(1, 250) n", [
    spaceId,
  ]);
  await sql("delete from intentions where location_id = $1 and name ~ '5$'", [spaceId]);
  await proxy.accept();
  await becomes(client, "realtime");
  await expectEqual(client, relay.current.url);
  expect(client.getSnapshot().hasMore).toBe(true);
});

test.concurrent("an unknown space is an error that says so, and appears when it is made", async (context) => {
  const spaceId = `made later, by ${context.task.id}`;
  const client = follow(context, { url: relay.current.url, spaceId });
  await eventually(() => {
    expect(client.getSnapshot()).toMatchObject({
      mode: "opening",
      data: null,
      fault: { code: "not_found", message: expect.stringMatching(/there is no space/) },
    });
  });
  await sql("insert into beings (id, type) values ($1, 'space')", [spaceId]);
  await eventually(() => expect(client.getSnapshot().beings.length).toBe(1));
  await becomes(client, "realtime");
  expect(client.getSnapshot().fault).toBeNull();
});

test("when all is closed, no stream is left at the relay", async () => {
  const streams = async () => (await relay.current.metrics.clients.get()).values.map(({ value }) => value);
  await eventually(async () => expect(Math.max(...(await streams()))).toBe(0));
});
