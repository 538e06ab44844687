import { expect, type TestContext, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { keepDoing } from "../support/process/keep-doing.js";
import { closing, eventually, expectEqual, followed, stateAt } from "../support/relay/follow.js";
import { HttpProxy } from "../support/relay/http-proxy.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

/** A client of a space with so many messages, behind a proxy. */
async function begin(context: TestContext, messages: number) {
  const spaceId = await newSpace(relay.current);
  await session.query(
    `insert into intentions (id, location_id, name)
     select $1 || ' ' || n, $1, n::text from generate_series(1, $2::int) n`,
    [spaceId, messages],
  );
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  const client = await followed(context, { url: proxy.url, spaceId });
  return { client, proxy, spaceId, names: () => client.getSnapshot().intentions.map(({ name }) => name) };
}
const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => `${first + index}`);

test("older messages come page by page, to the beginning", async (context) => {
  const { client, names } = await begin(context, 350);
  expect([names(), client.getSnapshot().hasMore]).toEqual([numbers(251, 350), true]);
  expect(await client.loadOlder()).toBe(true);
  expect(names()).toEqual(numbers(151, 350));
  expect(await client.loadOlder()).toBe(true);
  expect(await client.loadOlder()).toBe(false);
  expect([names(), client.getSnapshot().hasMore]).toEqual([numbers(1, 350), false]);
  expect(await client.loadOlder()).toBe(false);
  await expectEqual(client, relay.current.url);
});

test("there may be no older messages: nothing is asked, or the page says that it is the last", async (context) => {
  const few = await begin(context, 5);
  expect(await few.client.loadOlder()).toBe(false);
  expect(few.proxy.of("/api/intentions")).toEqual([]);
  const exact = await begin(context, 200);
  expect(await exact.client.loadOlder()).toBe(false);
  expect(exact.names()).toEqual(numbers(1, 200));
});

test("calls at the same time share one request", async (context) => {
  const { client, proxy, names } = await begin(context, 350);
  expect(await Promise.all([client.loadOlder(), client.loadOlder(), client.loadOlder()])).toEqual([
    true,
    true,
    true,
  ]);
  expect(proxy.of("/api/intentions").length).toBe(1);
  expect(names()).toEqual(numbers(151, 350));
});

test("P3: messages that are written, changed and deleted while pages are loading are as in the database", async (context) => {
  const { client, spaceId, names } = await begin(context, 350);
  let written = 0;
  const writing = keepDoing(async (n) => {
    const some = `${spaceId} ${1 + ((n * 37) % 350)}`;
    await session.query("update intentions set content = '[\"changed\"]' where id = $1", [some]);
    await session.query("delete from intentions where id = $1", [`${spaceId} ${1 + ((n * 53) % 350)}`]);
    await session.query("insert into intentions (location_id, name) values ($1, 'new')", [spaceId]);
    // Somebody says something of long ago.
    await session.query(
      `insert into intentions (location_id, name, created_at)
       select $1, 'late', created_at + '1 microsecond' from intentions where id = $2`,
      [spaceId, `${spaceId} ${1 + ((n * 11) % 350)}`],
    );
    written = n;
  });
  while (await client.loadOlder());
  await eventually(() => expect(written).toBeGreaterThanOrEqual(40));
  await writing.stop();
  expect(client.getSnapshot().hasMore).toBe(false);
  await expectEqual(client, relay.current.url);
  expect(names().length).toBeGreaterThan(100);
});

test("P3: what happens to a page's messages while it is on its way wins over the page", async (context) => {
  const { client, proxy, spaceId } = await begin(context, 150);
  const late = async () => {
    await session.query("update intentions set name = 'changed' where id = $1", [`${spaceId} 10`]);
    await session.query("delete from intentions where id = $1", [`${spaceId} 20`]);
    await session.query("update intentions set location_id = 'elsewhere' where id = $1", [`${spaceId} 30`]);
    await session.run("select sync.record()");
    const { version } = await stateAt(relay.current.url, spaceId);
    await eventually(() => expect(client.getSnapshot().data?.version).toBe(version));
  };
  proxy.rule = ({ path }) => (path === "/api/intentions" ? { late } : "pass");
  expect(await client.loadOlder()).toBe(false);
  expect(client.getIntention(`${spaceId} 10`)?.name).toBe("changed");
  expect(client.getSnapshot().intentions.length).toBe(148);
  await expectEqual(client, relay.current.url);
});

test("P3: a page that comes after the whole state has been replaced is dropped, and comes when it is asked again", async (context) => {
  const { client, proxy, spaceId, names } = await begin(context, 150);
  const late = async () => {
    await session.query("select sync.reset()");
    await session.query("delete from intentions where id = $1", [`${spaceId} 20`]);
    const { version } = await stateAt(relay.current.url, spaceId);
    await eventually(() => expect(client.getSnapshot().data?.version).toBe(version));
  };
  proxy.rule = ({ path }) => (path === "/api/intentions" ? { late } : "pass");
  expect(await client.loadOlder()).toBe(true);
  expect(names().length).toBe(100);
  proxy.rule = () => "pass";
  expect(await client.loadOlder()).toBe(false);
  expect(names().length).toBe(149);
  await expectEqual(client, relay.current.url);
});

test("P3: when the oldest message is deleted or has left before the page is asked for, pages still come", async (context) => {
  const { client, proxy, spaceId, names } = await begin(context, 350);
  // Its event is still on its way when the page is asked for.
  proxy.delayMs = 500;
  await session.query("delete from intentions where id = $1", [`${spaceId} 251`]);
  await client.loadOlder();
  proxy.delayMs = 0;
  expect(client.getSnapshot().error).toBeNull();
  while (await client.loadOlder());
  expect(names()[0]).toBe("1");
  await expectEqual(client, relay.current.url);
});

test("a page before a message that is gone brings the state instead: that says what is gone", async (context) => {
  const { client, proxy, spaceId, names } = await begin(context, 350);
  proxy.rule = ({ path }) => (path === "/api/stream" ? { status: 503 } : "pass");
  proxy.cut();
  await eventually(() => expect(proxy.of("/api/sync").at(-1)?.status).toBe(304));
  // Nobody tells the client before the next poll.
  await session.query("delete from intentions where id = $1", [`${spaceId} 251`]);
  expect(await client.loadOlder()).toBe(true);
  expect([names()[0], client.getSnapshot().data?.version]).toEqual(["252", 3]);
  proxy.rule = () => "pass";
  await client.loadOlder();
  expect(names().slice(0, 2)).toEqual(["151", "152"]);
});

test("when all messages that are here were deleted, the older ones can still be loaded", async (context) => {
  const { client, spaceId, names } = await begin(context, 150);
  for (let n = 51; n <= 150; n += 50) {
    await session.query("delete from intentions where location_id = $1 and name::int between $2 and $3", [
      spaceId,
      n,
      n + 49,
    ]);
  }
  await eventually(() => expect(names()).toEqual([]));
  expect(client.getSnapshot().hasMore).toBe(true);
  expect(await client.loadOlder()).toBe(false);
  expect(names()).toEqual(numbers(1, 50));
  await expectEqual(client, relay.current.url);
});

test("a page that does not come is an error, and can be asked for again", async (context) => {
  const { client, proxy, names } = await begin(context, 150);
  proxy.rule = ({ path }) => (path === "/api/intentions" ? "lose request" : "pass");
  expect(await client.loadOlder()).toBe(true);
  expect(client.getSnapshot().error?.message).toMatch(/does not answer/);
  expect(names().length).toBe(100);
  client.dismissError();
  proxy.rule = () => "pass";
  expect(await client.loadOlder()).toBe(false);
  expect([names(), client.getSnapshot().error]).toEqual([numbers(1, 150), null]);
});
