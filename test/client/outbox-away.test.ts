import { expect, type TestContext, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { runProgram } from "../support/process/run-program.js";
import { closing, expectEqual, follow, followed, PATIENTLY } from "../support/relay/follow.js";
import { HttpProxy } from "../support/relay/http-proxy.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";
import { TcpProxy } from "../support/relay/tcp-proxy.js";

const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

const names = async (spaceId: string) =>
  (
    await session.query(
      "select name from intentions where location_id = $1 order by substr(message_id, 5)::int",
      [spaceId],
    )
  ).map(({ name }) => name);

/** A line to the relay that can go away. */
async function line(context: TestContext) {
  const spaceId = await newSpace(relay.current);
  const { proxy, url } = await TcpProxy.before(relay.current.url);
  closing(context, proxy);
  const away = () => {
    proxy.refuse();
    proxy.cut();
  };
  return { spaceId, proxy, url, away };
}

test("changes that are made while the relay is away show, wait, and are sent in order when it is back", async (context) => {
  const { spaceId, proxy, url, away } = await line(context);
  const client = await followed(context, { url, spaceId });
  away();
  await expect.poll(() => client.getSnapshot().mode, PATIENTLY).toBe("cache");
  const ids = ["1", "2", "3"].map((name) => `${spaceId} ${name}`);
  const all = [
    ...ids.map((id) => client.createIntention({ id, name: id.slice(-1) })),
    client.updateIntention(ids[1] as string, { name: "two" }),
    client.deleteIntention(ids[2] as string),
  ];
  expect(client.getSnapshot()).toMatchObject({ intentionIds: ids.slice(0, 2), pendingIds: new Set(ids) });
  expect(client.getIntention(ids[1] as string)).toMatchObject({ name: "two" });
  expect(await names(spaceId)).toEqual([]);
  await proxy.accept();
  await Promise.all(all);
  expect(await names(spaceId)).toEqual(["1", "two"]);
  await expectEqual(client, relay.current.url);
  expect(client.getSnapshot()).toMatchObject({ mode: "realtime", error: null, fault: null });
});

test("changes that are made before anything is known of the space are sent, too", async (context) => {
  const { spaceId, proxy, url, away } = await line(context);
  away();
  const client = follow(context, { url, spaceId });
  const stored = client.createIntention({ name: "early" });
  expect(client.getSnapshot()).toMatchObject({ data: null, intentions: [{ name: "early" }] });
  await expect.poll(() => client.getSnapshot().fault?.message, PATIENTLY).toMatch(/does not answer/);
  await proxy.accept();
  await stored;
  await expectEqual(client, relay.current.url);
});

test("a change whose request or answer is swallowed is sent again, and is there once", async (context) => {
  const { spaceId, proxy, url, away } = await line(context);
  const client = await followed(context, { url, spaceId });
  proxy.swallow("to client");
  const stored = client.createIntention({ name: "once" });
  await expect.poll(() => names(spaceId), PATIENTLY).toEqual(["once"]);
  // The connection is not known to be dead for long: then it is cut, and the answer is lost for good.
  away();
  proxy.restore();
  await proxy.accept();
  expect(await stored).toMatchObject({ name: "once" });
  expect(await names(spaceId)).toEqual(["once"]);
  await expectEqual(client, relay.current.url);
});

test("close gives what waits one attempt more, which may succeed", async (context) => {
  const { spaceId, proxy, url, away } = await line(context);
  const client = await followed(context, { url, spaceId });
  away();
  const all = ["1", "2"].map((name) => client.createIntention({ name }));
  await expect.poll(() => client.getSnapshot().mode, PATIENTLY).toBe("cache");
  await proxy.accept();
  client.close();
  expect((await Promise.all(all)).map(({ name }) => name)).toEqual(["1", "2"]);
  expect(await names(spaceId)).toEqual(["1", "2"]);
});

test("close rejects what could not be sent with one attempt more", async (context) => {
  const { spaceId, url, away } = await line(context);
  const client = await followed(context, { url, spaceId });
  away();
  const all = ["1", "2"].map((name) => client.createIntention({ name }));
  await expect.poll(() => client.getSnapshot().mode, PATIENTLY).toBe("cache");
  client.close();
  for (const one of await Promise.allSettled(all)) {
    expect(one).toMatchObject({ status: "rejected", reason: { code: "unavailable", message: /closed/ } });
  }
  expect(await names(spaceId)).toEqual([]);
});

test("close does not take back what is on its way: it resolves", async (context) => {
  const spaceId = await newSpace(relay.current);
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  const client = await followed(context, { url: proxy.url, spaceId });
  proxy.delayMs = 200;
  const all = ["1", "2", "3"].map((name) => client.createIntention({ name }));
  client.close();
  await Promise.all(all);
  expect(await names(spaceId)).toEqual(["1", "2", "3"]);
});

test("a change after close is sent or rejected, and never waits for ever", async (context) => {
  const { spaceId, url, away } = await line(context);
  const client = await followed(context, { url, spaceId });
  away();
  client.close();
  await expect(client.createIntention({ name: "late" })).rejects.toMatchObject({ code: "unavailable" });
});

/** What a program does with a client before it closes it. It must end by itself then. */
const PROGRAMS = {
  "in realtime, with changes stored": `
    await until(() => client.getSnapshot().connected);
    await client.createIntention({ name: "from a program" });
    client.close();`,
  "at once": "client.close();",
  "while the stream is opening": "await new Promise(setImmediate); client.close();",
  "while it is polling, and a change waits": `
    await until(() => client.getSnapshot().connected);
    globalThis.fetch = () => Promise.reject(new TypeError("away"));
    client.createIntention({}).catch(() => {});
    client.updateBeing("b", {}).catch(() => {});
    cut();
    await until(() => client.getSnapshot().mode === "cache");
    client.close();`,
  "while a page is loading": `
    await until(() => client.getSnapshot().connected);
    void client.refresh(); void client.loadOlder();
    client.close();
    client.close();`,
} as const;

test("a closed client leaves no timer and no connection behind: a program ends by itself", async (context) => {
  const spaceId = await newSpace(relay.current);
  const endings = Object.entries(PROGRAMS).map(async ([name, work]) => [
    name,
    await runProgram(context, work, relay.current.url, spaceId),
  ]);
  expect(await Promise.all(endings)).toEqual(
    Object.keys(PROGRAMS).map((name) => [name, "closed\nended with 0"]),
  );
}, 60_000);
