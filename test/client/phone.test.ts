import { expect, type TestContext, test, vi } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { startApp } from "../support/process/phone.js";
import { closing, eventually, expectEqual } from "../support/relay/follow.js";
import { HttpProxy } from "../support/relay/http-proxy.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

vi.setConfig({ testTimeout: 60_000 });
const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

/** A phone: each `start` is another life of the application. */
async function begin(context: TestContext) {
  const spaceId = await newSpace(relay.current);
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  const storage = new Map<string, string>();
  const start = async () => {
    const app = await startApp({ url: proxy.url, spaceId }, storage);
    closing(context, app.client);
    return app;
  };
  const say = (text: string) =>
    session.query("insert into intentions (location_id, content) values ($1, jsonb_build_array($2::text))", [
      spaceId,
      text,
    ]);
  return { spaceId, proxy, storage, start, say };
}
/** That the relay has open. */
async function streams() {
  const { values } = await relay.current.metrics.clients.get();
  return values.find(({ labels }) => labels.endpoint === "stream")?.value ?? 0;
}
const OFFLINE = () => "lose request" as const;

test("in the background an app keeps its state and no connection; back, it catches up from its cursor", async (context) => {
  const { proxy, storage, start, say } = await begin(context);
  const app = await start();
  await eventually(() => expect(app.client.getSnapshot().mode).toBe("realtime"));
  await app.client.createIntention({ content: ["from the phone"] });
  await expectEqual(app.client, relay.current.url);
  const { version } = app.client.getSnapshot().data ?? {};

  app.tell("background");
  await eventually(() => expect([...storage.values()].join()).toContain("from the phone"));
  await eventually(async () => expect(await streams()).toBe(0));
  await say("meanwhile");
  expect(app.client.getSnapshot().data?.version).toBe(version);
  expect(proxy.of("/api/stream").length).toBe(1);

  app.tell("active");
  await expectEqual(app.client, relay.current.url);
  expect(proxy.of("/api/stream")[1]?.query.get("since")).toMatch(new RegExp(`\\.${version}$`));
  await say("live again");
  await expectEqual(app.client, relay.current.url);
});

test("what the network does is told, and a change waits for it", async (context) => {
  const { proxy, start } = await begin(context);
  const app = await start();
  await eventually(() => expect(app.client.getSnapshot().mode).toBe("realtime"));
  proxy.rule = OFFLINE;
  app.tell("offline");
  await eventually(() => expect(app.client.getSnapshot().mode).toBe("cache"));
  const stored = app.client.createIntention({ content: ["offline"] });
  expect(app.client.getSnapshot().pendingIds.size).toBe(1);
  proxy.rule = () => "pass";
  app.tell("online");
  await stored;
  await expectEqual(app.client, relay.current.url);
});

test("an app that is killed without a network has its state and its changes in its next life", async (context) => {
  const { spaceId, proxy, storage, start, say } = await begin(context);
  await say("before");
  const first = await start();
  await eventually(() => expect(first.client.getSnapshot().mode).toBe("realtime"));
  proxy.rule = OFFLINE;
  proxy.cut();
  for (const text of ["one", "two"]) first.client.createIntention({ content: [text] }).catch(() => {});
  first.tell("background");
  await eventually(() => expect([...storage.values()].join()).toMatch(/before.*two|two.*before/));
  first.kill();

  const second = await start();
  const shown = () => second.client.getSnapshot().intentions.map(({ content }) => content[0]);
  // At once, and before what the life before has left was read: it is not lost.
  second.client.createIntention({ content: ["three"] }).catch(() => {});
  await eventually(() => expect(shown().toSorted()).toEqual(["before", "one", "three", "two"]));
  expect(second.client.getSnapshot().pendingIds.size).toBe(3);
  await eventually(() => expect([...storage.values()].join()).toMatch(/three.*one.*two|one.*two.*three/));
  second.kill();

  const third = await start();
  proxy.rule = () => "pass";
  await eventually(() => expect(third.client.getSnapshot().pendingIds.size).toBe(0));
  await expectEqual(third.client, relay.current.url);
  const rows = await session.query("select content->>0 as text from intentions where location_id = $1", [
    spaceId,
  ]);
  expect(rows.map(({ text }) => text).toSorted()).toEqual(["before", "one", "three", "two"]);
  await eventually(() =>
    expect([...storage.entries()].find(([key]) => key.includes("changes"))?.[1]).toBe("[]"),
  );
});

test("a client that is closed no longer listens to the app", async (context) => {
  const { start } = await begin(context);
  const app = await start();
  expect(app.listens).toBe(true);
  app.client.close();
  expect(app.listens).toBe(false);
});
