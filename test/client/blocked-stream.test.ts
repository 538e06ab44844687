import { expect, type TestContext, test, vi } from "vitest";
import { createSpaceClient } from "../../src/client/index.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { closing, eventually, expectEqual, follow, followed } from "../support/relay/follow.js";
import { HttpProxy, type Verdict } from "../support/relay/http-proxy.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";
import { TcpProxy } from "../support/relay/tcp-proxy.js";

const db = useDatabase();
const relay = useRelay(db);
vi.setConfig({ testTimeout: 90_000 });
const session = useSession(db);
let queue: Promise<unknown> = Promise.resolve();

/** One statement after the other: the tests that run beside one another share the session. */
function sql(text: string, values: unknown[] = []): Promise<unknown> {
  queue = queue.then(() => session.query(text, values));
  return queue;
}
const say = (spaceId: string) => sql("insert into intentions (location_id) values ($1)", [spaceId]);
const HTML = `<!doctype html>${"<p>Log in to our WLAN</p>".repeat(100_000)}`;

/** A client behind a proxy that does this with streams. */
async function begin(context: TestContext, streams: Verdict) {
  const spaceId = await newSpace(relay.current);
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  proxy.rule = ({ path }) => (path === "/api/stream" ? streams : "pass");
  const client = follow(context, { url: proxy.url, spaceId });
  return { spaceId, proxy, client };
}

test.concurrent.for<[string, Verdict, RegExp]>([
  ["refused by a proxy", { status: 502 }, /no live updates: .*status 502/],
  [
    "refused by the relay",
    { status: 403, type: "application/json", text: '{"error":"not you","code":"forbidden"}' },
    /no live updates: not you/,
  ],
  ["held back by a proxy that buffers", "buffer", /no live updates: .*silent/],
  ["cut at once", "lose request", /no live updates: /],
])(
  "P3: where streams are %s, polling keeps the data fresh, and an idle poll is a 304",
  async ([, verdict, reason], context) => {
    const { spaceId, proxy, client } = await begin(context, verdict);
    await eventually(() => {
      expect(client.getSnapshot().mode).toBe("polling");
      expect(client.getSnapshot().data).not.toBeNull();
    });
    expect(client.getSnapshot()).toMatchObject({
      connected: false,
      fault: { message: expect.stringMatching(reason) },
    });
    const polls = () => proxy.of("/api/sync");
    await eventually(() => expect(polls().at(-1)?.status).toBe(304));
    const { data } = client.getSnapshot();
    expect(polls().at(-1)?.headers["if-none-match"]).toMatch(/^W\/"[0-9a-f]{16}\.\d+"$/);
    await say(spaceId);
    await expectEqual(client, relay.current.url);
    expect(client.getSnapshot().data).not.toBe(data);
    expect(client.getSnapshot().mode).toBe("polling");
    // Its own changes do not wait for the stream.
    await client.createIntention({});
    await expectEqual(client, relay.current.url);
    proxy.rule = () => "pass";
    await eventually(() =>
      expect(client.getSnapshot()).toMatchObject({ mode: "realtime", error: null, fault: null }),
    );
    await say(spaceId);
    await expectEqual(client, relay.current.url);
  },
);

test.concurrent("P3: a poll brings all messages that are held and the new ones, and no older ones", async (context) => {
  const spaceId = await newSpace(relay.current);
  await sql("insert into intentions (location_id) select $1 from generate_series(1, 250)", [spaceId]);
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  const client = await followed(context, { url: proxy.url, spaceId });
  await client.loadOlder();
  expect(client.getSnapshot().intentions.length).toBe(200);
  let mayStream = false;
  proxy.rule = ({ path }) => (path === "/api/stream" && !mayStream ? { status: 503 } : "pass");
  proxy.cut();
  await eventually(() => expect(client.getSnapshot().mode).toBe("polling"));
  const [first] = client.getSnapshot().intentionIds;
  await sql("insert into intentions (location_id) select $1 from generate_series(1, 30)", [spaceId]);
  await expectEqual(client, relay.current.url);
  expect(client.getSnapshot()).toMatchObject({ hasMore: true, mode: "polling" });
  expect(client.getSnapshot().intentionIds.length).toBe(230);
  expect(client.getSnapshot().intentionIds[0]).toBe(first);
  mayStream = true;
});

test.concurrent("a relay that answers with a page is no relay: an error that says so", async (context) => {
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  proxy.rule = () => ({ status: 200, text: HTML });
  const client = follow(context, { url: proxy.url, spaceId: "anywhere" });
  await eventually(() =>
    expect(client.getSnapshot()).toMatchObject({ mode: "opening", fault: { code: "unavailable" } }),
  );
  expect(client.getSnapshot().data).toBeNull();
  proxy.rule = () => ({ status: 404, text: "<h1>Not Found" });
  await eventually(() =>
    expect(client.getSnapshot().fault?.message).toMatch(/status 404: is it the right one/),
  );
});

test.concurrent("an answer that is no stream, and has no end, is not left open, attempt after attempt", async (context) => {
  const { proxy, client } = await begin(context, { status: 200, text: HTML, endless: true });
  await eventually(() => expect(proxy.of("/api/stream").length).toBeGreaterThanOrEqual(5));
  expect(client.getSnapshot().mode).toBe("polling");
  // The attempt that may be under way, and what is kept for the next poll.
  expect(await proxy.connections()).toBeLessThanOrEqual(3);
  proxy.rule = ({ path }) => (path === "/api/stream" ? "lose request" : "pass");
  client.close();
  await eventually(async () => expect(await proxy.connections()).toBeLessThanOrEqual(1));
});

test.concurrent("nobody there: an error that says so, and no data", async (context) => {
  const { proxy, url } = await TcpProxy.before(relay.current.url);
  proxy.close();
  const client = follow(context, { url, spaceId: "anywhere" });
  await eventually(() => expect(client.getSnapshot().fault?.message).toMatch(/the relay does not answer/));
  expect(client.getSnapshot()).toMatchObject({ mode: "opening", data: null, intentions: [], hasMore: false });
  expect(await client.loadOlder()).toBe(false);
});

test("an address that is none is refused at once, and in Node there is none to begin with", () => {
  const wrong = [{ url: "not an address" }, { url: "/relative" }, {}];
  for (const options of wrong) {
    expect(() => createSpaceClient({ spaceId: "s", ...options })).toThrowError(
      expect.objectContaining({ name: "SpacefeedError", code: "config" }),
    );
  }
});

test("an address may have a path, with or without a slash at its end", async (context) => {
  const spaceId = await newSpace(relay.current);
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  proxy.rule = () => ({ status: 500 });
  const paths = ["/deep/er/api/stream", "/deep/er/api/sync"];
  for (const url of [`${proxy.url}/deep/er`, `${proxy.url}/deep/er/`]) {
    const { length } = proxy.asked;
    const client = follow(context, { url, spaceId });
    await eventually(() =>
      expect(proxy.asked.slice(length).map(({ path }) => path)).toEqual(expect.arrayContaining(paths)),
    );
    client.close();
  }
  expect(new Set(proxy.asked.map(({ path }) => path))).toEqual(new Set(paths));
});

test("P11: a database that becomes another is followed, in realtime and after an absence", async (context) => {
  const spaceId = await newSpace(relay.current);
  const { proxy, url } = await TcpProxy.before(relay.current.url);
  closing(context, proxy);
  const client = await followed(context, { url, spaceId });
  await sql("select sync.reset()");
  await say(spaceId);
  await expectEqual(client, relay.current.url);
  proxy.refuse();
  proxy.cut();
  await sql("select sync.reset()");
  await say(spaceId);
  await proxy.accept();
  await eventually(() => expect(client.getSnapshot().mode).toBe("realtime"));
  await expectEqual(client, relay.current.url);
});

test("when all is closed, no stream is left at the relay", async () => {
  const streams = async () => (await relay.current.metrics.clients.get()).values.map(({ value }) => value);
  await eventually(async () => expect(Math.max(0, ...(await streams()))).toBe(0));
});
