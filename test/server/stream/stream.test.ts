import { expect, test } from "vitest";
import { spaceSync, syncEvent } from "../../../src/protocol/messages.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db, { heartbeatMs: 100, catchUpLimit: 5 });
const session = useSession(db);

/** A stream of a space. Without `since`, its space-sync is there: what is written next comes as an event. */
async function follow(spaceId: string, since?: string | number, headers?: Record<string, string>) {
  const stream = await openStream(streamUrl(relay.current.url, spaceId, since), headers);
  if (since === undefined) await stream.until((events) => events.length > 0);
  return stream;
}

const say = (spaceId: string, name = "") =>
  session.query("insert into public.intentions (location_id, name) values ($1, $2)", [spaceId, name]);
// biome-ignore lint/suspicious/noExplicitAny: whatever the wire has
const inShort = (events: any[]) =>
  events.map((event) => `${event.type} ${event.data?.name ?? event.id ?? ""}`);

test("P6: a row written with SQL reaches the client of its space", async () => {
  const spaceId = await newSpace(relay.current);
  const stream = await follow(spaceId);
  await stream.until((events) => events[0]?.type === "space-sync");
  await session.query("insert into intentions (location_id, content) values ($1, '[\"hi\"]')", [spaceId]);
  const events = await stream.until((all) => all.length === 2);
  expect(events[1]).toMatchObject({
    type: "intention-created",
    version: 2,
    prev: 1,
    data: { content: ["hi"] },
  });
  expect(stream.messages.filter((message) => !message.event).at(1)?.id).toBe(events[1].cursor);
  stream.close();
});

test("a stream has the headers of one that no proxy holds back, and its first line is retry, spread", async () => {
  const spaceId = await newSpace(relay.current);
  const retries = new Set<number | undefined>();
  for (let n = 0; n < 8; n++) {
    const controller = new AbortController();
    const { status, headers, body } = await fetch(streamUrl(relay.current.url, spaceId), controller);
    expect(status).toBe(200);
    expect(Object.fromEntries(headers)).toMatchObject({
      "content-type": expect.stringMatching(/^text\/event-stream/),
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    });
    const first = await (body as ReadableStream<Uint8Array>).getReader().read();
    const line = /^retry: (\d+)\n\n/.exec(new TextDecoder().decode(first.value));
    retries.add(Number(line?.[1]));
    controller.abort();
  }
  for (const retry of retries) expect(retry).toSatisfy((ms: number) => ms >= 500 && ms <= 5_000);
  expect(retries.size).toBeGreaterThan(1);
});

test("a space-sync has exactly the keys of the wire, and holds its schema", async () => {
  const spaceId = await newSpace(relay.current);
  await say(spaceId, "a");
  await say(spaceId, "b");
  const stream = await follow(spaceId);
  const [sync] = await stream.until((events) => events.length === 1);
  expect(Object.keys(sync)).toEqual([
    "type",
    "spaceId",
    "version",
    "cursor",
    "timestamp",
    "beings",
    "intentions",
    "lastMessageId",
    "hasMore",
  ]);
  spaceSync.strict().parse(sync);
  expect(sync).toMatchObject({
    type: "space-sync",
    spaceId,
    version: 3,
    cursor: expect.stringMatching(/^[0-9a-f]{16}\.3$/),
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/),
    beings: [{ id: spaceId }],
    intentions: [{ name: "a" }, { name: "b" }],
    lastMessageId: sync.intentions[1].messageId,
    hasMore: false,
  });
  expect(stream.messages.find((message) => !message.event)?.id).toBe(sync.cursor);
  stream.close();
});

test("a space-sync of a space in which nothing is has version 0, and follows what comes", async () => {
  await post(relay.current, "beings", {
    action: "create",
    beingId: "void",
    spaceId: await newSpace(relay.current),
    data: { type: "space" },
  });
  const stream = await follow("void");
  const [sync] = await stream.until((events) => events.length === 1);
  expect(sync).toMatchObject({
    version: 0,
    beings: [],
    intentions: [],
    lastMessageId: null,
    hasMore: false,
  });
  await say("void");
  expect((await stream.until((events) => events.length === 2))[1]).toMatchObject({ version: 1, prev: 0 });
  stream.close();
});

test("a space-sync has the newest 100 messages, and says that there are more", async () => {
  const spaceId = await newSpace(relay.current);
  await session.query(
    "insert into public.intentions (location_id, name) select $1, n::text from generate_series(1, 101) n",
    [spaceId],
  );
  const stream = await follow(spaceId);
  const [sync] = await stream.until((events) => events.length === 1);
  expect([sync.intentions.length, sync.intentions[0].name, sync.hasMore]).toEqual([100, "2", true]);
  stream.close();
});

test("P5: a transaction's changes come together; only the last has prev, cursor and the SSE id", async () => {
  const spaceId = await newSpace(relay.current);
  await say(spaceId, "old");
  await say(spaceId, "doomed");
  const stream = await follow(spaceId);
  await stream.until((events) => events.length === 1);
  await session.run("begin");
  await say(spaceId, "new");
  await session.run(
    `update public.intentions set state = 'active' where name = 'old' and location_id = '${spaceId}'`,
    `delete from public.intentions where name = 'doomed' and location_id = '${spaceId}'`,
    `update public.beings set name = 'Room' where id = '${spaceId}'`,
    `insert into public.beings (id, name, location_id) values ('member of ${spaceId}', 'Ada', '${spaceId}')`,
    "commit",
  );
  const [, ...events] = await stream.until((all) => all.length === 6);
  for (const event of events) syncEvent.parse(event);
  expect(new Set(events.map((event) => event.type))).toEqual(
    new Set([
      "intention-created",
      "intention-updated",
      "intention-deleted",
      "being-created",
      "being-updated",
    ]),
  );
  expect(events.map((event) => event.version)).toEqual([4, 4, 4, 4, 4]);
  expect(events.map((event) => event.prev)).toEqual([undefined, undefined, undefined, undefined, 3]);
  expect(events.at(-1).cursor).toMatch(/\.4$/);
  expect(events.slice(0, -1).filter((event) => "cursor" in event || "prev" in event)).toEqual([]);
  const ids = stream.messages.filter((message) => !message.event).map((message) => message.id);
  expect(ids.slice(1)).toEqual([undefined, undefined, undefined, undefined, events.at(-1).cursor]);
  stream.close();
});

test("each event has exactly the keys of the wire", async () => {
  const spaceId = await newSpace(relay.current);
  const stream = await follow(spaceId);
  await stream.until((events) => events.length === 1);
  // One at a time: what is committed in quick succession may arrive as one group.
  let events = [];
  for (const statement of [
    `insert into public.beings (id, location_id) values ('keys', '${spaceId}')`,
    `insert into public.intentions (id, location_id) values ('keys', '${spaceId}')`,
    "delete from public.beings where id = 'keys'",
    "delete from public.intentions where id = 'keys'",
  ]) {
    await session.run(statement);
    const count = events.length === 0 ? 2 : events.length + 1;
    events = await stream.until((all) => all.length === count);
  }
  expect(events.slice(1).map((event) => Object.keys(event).join(" "))).toEqual([
    "type version data prev cursor",
    "type messageId version data prev cursor",
    "type version id prev cursor",
    "type messageId version id prev cursor",
  ]);
  expect(events.at(-1).messageId).toBe(events[2].data.messageId);
  stream.close();
});

test("P4: what a savepoint or a transaction rolled back is never sent", async () => {
  const spaceId = await newSpace(relay.current);
  const stream = await follow(spaceId);
  await stream.until((events) => events.length === 1);
  await session.run("begin");
  await say(spaceId, "phantom 1");
  await session.run("rollback", "begin");
  await say(spaceId, "kept 1");
  await session.run("savepoint s");
  await say(spaceId, "phantom 2");
  await session.run("rollback to s");
  await say(spaceId, "kept 2");
  await session.run("commit");
  await say(spaceId, "last");
  const events = await stream.until((all) => all.at(-1).data?.name === "last");
  expect(inShort(events.slice(1))).toEqual([
    "intention-created kept 1",
    "intention-created kept 2",
    "intention-created last",
  ]);
  expect(events.at(-1).version).toBe(3);
  stream.close();
});

test("a move between two spaces is seen by both, and so is a transaction in several", async () => {
  const [from, to] = [await newSpace(relay.current), await newSpace(relay.current)];
  await session.query(
    "insert into public.intentions (id, name, location_id) values ('moving', 'moving', $1)",
    [from],
  );
  const [left, right] = [await follow(from, 2), await follow(to, 1)];
  await session.query("update public.intentions set location_id = $1 where id = 'moving'", [to]);
  expect(inShort(await left.until((all) => all.length === 1))).toEqual(["intention-deleted moving"]);
  const [event] = await right.until((all) => all.length === 1);
  expect(event).toMatchObject({
    type: "intention-created",
    data: { id: "moving", locationId: to },
    prev: 1,
    version: 2,
  });
  await session.run("begin");
  await say(from, "both");
  await say(to, "both");
  await session.run("commit");
  for (const stream of [left, right]) {
    const events = await stream.until((all) => all.length === 2);
    expect(inShort(events)[1]).toBe("intention-created both");
    stream.close();
  }
});

test("P9: a column that no wire function names never leaves the database", async () => {
  const spaceId = await newSpace(relay.current);
  await session.run("alter table public.beings add column secret text default 'geheim'");
  await session.run("alter table public.intentions add column secret text default 'geheim'");
  const stream = await follow(spaceId);
  await session.query("insert into public.beings (id, name, location_id) values ('spy', 'spy', $1)", [
    spaceId,
  ]);
  await session.query("update public.beings set secret = 'geheim too' where id = 'spy'");
  await say(spaceId, "end");
  await stream.until((events) => events.at(-1)?.data?.name === "end");
  const late = await follow(spaceId);
  await late.until((events) => events.length === 1);
  const { body } = await post(relay.current, "beings", { action: "get", beingId: "spy" });
  const state = await (await fetch(`${relay.current.url}/api/sync?spaceId=${spaceId}`)).text();
  const left = JSON.stringify([stream.messages, late.messages, body, state]);
  expect(left).toContain("spy");
  expect(left).not.toMatch(/secret|geheim/);
  await session.run("alter table public.beings drop column secret");
  await session.run("alter table public.intentions drop column secret");
  stream.close();
  late.close();
});

test("a stream begins with a heartbeat, so that the client knows how often they come", async () => {
  const stream = await follow(await newSpace(relay.current));
  expect(stream.messages[0]).toMatchObject({ event: "heartbeat", data: '{"version":null,"everyMs":100}' });
  stream.close();
});

test("a heartbeat has the version at which the client should be, and no id", async () => {
  const spaceId = await newSpace(relay.current);
  const stream = await follow(spaceId);
  const beats = () => stream.messages.filter((message) => message.event === "heartbeat");
  await expect.poll(() => beats().at(-1)?.data, { timeout: 10_000 }).toBe('{"version":1,"everyMs":100}');
  await say(spaceId);
  await expect.poll(() => beats().at(-1)?.data, { timeout: 10_000 }).toBe('{"version":2,"everyMs":100}');
  expect(new Set(beats().map((beat) => beat.id))).toEqual(new Set([undefined]));
  stream.close();
});

test("the stream of a space that is deleted goes on: its clock outlives it", async () => {
  const spaceId = await newSpace(relay.current);
  const stream = await follow(spaceId);
  await session.query("delete from public.beings where id = $1", [spaceId]);
  await say(spaceId, "still");
  const events = await stream.until((all) => all.length === 3);
  expect(inShort(events.slice(1))).toEqual([`being-deleted ${spaceId}`, "intention-created still"]);
  stream.close();
});
