import { expect, type TestContext, test } from "vitest";
import { createSpaceClient, type SpaceClient } from "../../src/client/index.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { closing, eventually } from "../support/relay/follow.js";
import { HttpProxy } from "../support/relay/http-proxy.js";
import { useRelay } from "../support/relay/relay.js";
import { streams, streamsBecome } from "../support/relay/relay-metrics.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);
const s = useSession(db);

const say = (spaceId: string, name: string) =>
  s.query("insert into public.intentions (location_id, name) values ($1, $2)", [spaceId, name]);
const names = (client: SpaceClient) => client.getSnapshot().intentions.map(({ name }) => name);
const isLive = (client: SpaceClient) => client.getSnapshot().mode === "realtime";
const refusal = (error: string) => ({
  status: 404,
  type: "application/json",
  text: JSON.stringify({ success: false, code: "not_found", error }),
});
const follow = (context: TestContext, spaceId: string, url = relay.current.url) =>
  closing(context, createSpaceClient({ spaceId, url }));
async function followMany(context: TestContext, count: number, url?: string) {
  const ids = await Promise.all(Array.from({ length: count }, () => newSpace(relay.current)));
  const clients = ids.map((id) => follow(context, id, url));
  await eventually(() => expect(clients.every(isLive)).toBe(true));
  return { ids, clients };
}

test("a hundred spaces of a page are one stream, and each hears its own", async (context) => {
  const { ids, clients } = await followMany(context, 100);
  await streamsBecome(relay.current, 1);
  await Promise.all(ids.map((id, n) => say(id, `m${n}`)));
  await eventually(() => expect(clients.map(names)).toEqual(ids.map((_, n) => [`m${n}`])));
  for (const client of clients) client.close();
  await streamsBecome(relay.current, 0);
});

test("one that comes later is added, and one that goes is dropped", async (context) => {
  const { ids, clients } = await followMany(context, 3);
  const late = await newSpace(relay.current);
  await say(late, "before");
  const client = follow(context, late);
  await eventually(() => expect(names(client)).toEqual(["before"]));
  expect(await streams(relay.current)).toBe(1);
  clients[0]?.close();
  await say(ids[1] as string, "on");
  await eventually(() => expect(names(clients[1] as SpaceClient)).toEqual(["on"]));
  const again = follow(context, ids[0] as string);
  await eventually(() => expect(isLive(again)).toBe(true));
  await say(ids[0] as string, "again");
  await eventually(() => expect(names(again)).toEqual(["again"]));
  expect(await streams(relay.current)).toBe(1);
});

test("a space that is not there is a fault of its own client, and the others go on", async (context) => {
  const { ids, clients } = await followMany(context, 2);
  const nowhere = follow(context, "nowhere");
  await eventually(() => expect(nowhere.getSnapshot().fault?.message).toMatch(/there is no space nowhere/));
  await say(ids[0] as string, "on");
  await eventually(() => expect(names(clients[0] as SpaceClient)).toEqual(["on"]));
  expect(clients.every(isLive)).toBe(true);
});

test("P3: after the line was cut all come back with their own cursors, and lack nothing", async (context) => {
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  const { ids, clients } = await followMany(context, 20, proxy.url);
  for (const round of [1, 2, 3]) {
    proxy.cut();
    await Promise.all(ids.map((id) => say(id, `r${round}`)));
    await eventually(() => {
      const all = [1, 2, 3].slice(0, round).map((n) => `r${n}`);
      expect(clients.map(names)).toEqual(ids.map(() => all));
    });
  }
});

test("when the relay with the stream is another one than that which is asked to add a space, all come back", async (context) => {
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  const { clients } = await followMany(context, 2, proxy.url);
  proxy.rule = ({ path }) =>
    path.startsWith("/api/stream/") ? refusal("there is no stream of this ID") : "pass";
  const late = await newSpace(relay.current);
  const client = follow(context, late, proxy.url);
  await eventually(() => expect([...clients, client].every(isLive)).toBe(true));
  await say(late, "here");
  await eventually(() => expect(names(client)).toEqual(["here"]));
});
