import { expect, type TestContext, test } from "vitest";
import type { SpaceClient } from "../../src/client/index.js";
import {
  beingOf,
  created,
  deleted,
  groupOf,
  joined,
  messageOf,
  messagesOf,
  spaceSyncOf,
  stateOf,
} from "../support/postgres/rows.js";
import { closing, follow, PATIENTLY } from "../support/relay/follow.js";
import { SseServer } from "../support/relay/sse-server.js";

/** A client that has version 5, with the messages 1 to 3, from a relay that does as it is told. */
async function begin(context: TestContext) {
  const server = closing(context, await SseServer.start());
  server.opened = (stream) => {
    stream.beat(null);
    if (stream.since === null) stream.send([spaceSyncOf(5, { intentions: messagesOf(1, 3) })]);
  };
  const client = follow(context, { url: server.url, spaceId: "here" });
  await reaches(client, 5);
  return { server, client };
}
const reaches = (client: SpaceClient, version: number) =>
  expect.poll(() => client.getSnapshot().data?.version, PATIENTLY).toBe(version);
const streams = (server: SseServer, count: number) =>
  expect.poll(() => server.streams.length, PATIENTLY).toBe(count);
const ids = (client: SpaceClient) => client.getSnapshot().intentionIds;
const four = groupOf(5, 6, created(messageOf(4)));

/** Every snapshot that a client shows. */
function watched(client: SpaceClient) {
  const all = [client.getSnapshot()];
  client.subscribe(() => all.push(client.getSnapshot()));
  return all;
}

test("the first stream asks for everything, and a group is applied as a whole", async (context) => {
  const { server, client } = await begin(context);
  const all = watched(client);
  expect(server.streams.map(({ since }) => since)).toEqual([null]);
  server.streams[0]?.send(groupOf(5, 6, created(messageOf(4)), created(messageOf(5)), joined(beingOf("a"))));
  await reaches(client, 6);
  expect(client.getSnapshot()).toMatchObject({
    mode: "realtime",
    intentions: messagesOf(1, 5),
    beings: [{ id: "a" }],
  });
  expect(all.length).toBe(2); // before, and after: nothing in between is ever shown
});

test("P5: nothing of a group shows before its end is here, however its bytes come", async (context) => {
  const { server, client } = await begin(context);
  const all = watched(client);
  const [stream] = server.streams;
  const group = groupOf(5, 6, created(messageOf(4, { content: ["ü€𝄞"] })), deleted(messageOf(1)));
  const bytes = Buffer.from(group.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(""));
  for (const byte of bytes.subarray(0, -1)) stream?.response.write(Buffer.of(byte));
  stream?.response.write("\n");
  await reaches(client, 6);
  expect(ids(client)).toEqual(["m2", "m3", "m4"]);
  expect(client.getIntention("m4")?.content).toEqual(["ü€𝄞"]);
  expect(all.length).toBe(2);
});

test("P5: a stream that breaks off in a group has said nothing: the next one begins at our cursor", async (context) => {
  const { server, client } = await begin(context);
  const all = watched(client);
  server.streams[0]?.begin([created(messageOf(4))(6), deleted(messageOf(2))(6)]);
  server.streams[0]?.cut();
  await streams(server, 2);
  expect(server.streams[1]?.since).toBe("e.5");
  // The next one must not take the first half of the group for its own.
  server.streams[1]?.send(groupOf(5, 6, created(messageOf(9))));
  await reaches(client, 6);
  expect(ids(client)).toEqual(["m1", "m2", "m3", "m9"]);
  for (const { intentionIds } of all) expect(intentionIds.slice(0, 3)).toEqual(["m1", "m2", "m3"]);
});

test("P3: a gap is not applied; the stream begins again at our cursor, at once, and stays realtime", async (context) => {
  const { server, client } = await begin(context);
  const all = watched(client);
  // What else is in the same piece is of a stream that has been given up: no second gap.
  server.streams[0]?.send(groupOf(6, 7, created(messageOf(5))), groupOf(7, 8, created(messageOf(6))));
  await streams(server, 2);
  expect(server.streams[1]?.since).toBe("e.5");
  await expect.poll(() => server.streams[0]?.isOpen, PATIENTLY).toBe(false);
  server.streams[1]?.send(groupOf(5, 7, created(messageOf(4)), created(messageOf(5))));
  await reaches(client, 7);
  expect(client.getSnapshot().intentions).toEqual(messagesOf(1, 5));
  expect(new Set(all.map(({ mode }) => mode))).toEqual(new Set(["realtime"]));
});

test("P3: a gap upon a gap is no hot loop: the whole state is polled, and the stream is tried later", async (context) => {
  const { server, client } = await begin(context);
  server.opened = (stream) => {
    if (server.streams.length < 3) stream.send(groupOf(8, 9, created(messageOf(9))));
    else stream.beat(9);
  };
  server.state = stateOf(9, { intentions: [...messagesOf(1, 3), messageOf(9)] });
  server.streams[0]?.send(groupOf(8, 9, created(messageOf(9))));
  await reaches(client, 9);
  expect(server.polls).toEqual(['W/"e.5"']);
  await expect.poll(() => client.getSnapshot().mode, PATIENTLY).toBe("realtime");
  expect(server.streams.map(({ since }) => since)).toEqual([null, "e.5", "e.9"]);
});

test("groups that are known are left out, and what comes after them is applied", async (context) => {
  const { server, client } = await begin(context);
  const all = watched(client);
  const [stream] = server.streams;
  stream?.send(groupOf(3, 4, deleted(messageOf(1))), groupOf(4, 5, deleted(messageOf(2))));
  stream?.send([spaceSyncOf(5)], [spaceSyncOf(4)], four);
  await reaches(client, 6);
  expect(ids(client)).toEqual(["m1", "m2", "m3", "m4"]);
  expect([all.length, server.streams.length]).toEqual([2, 1]);
});

test("P11: a space-sync of another epoch replaces everything, also at a lower version", async (context) => {
  const { server, client } = await begin(context);
  server.streams[0]?.send([spaceSyncOf(2, { cursor: "f.2", intentions: [messageOf(8)] })]);
  await reaches(client, 2);
  expect(ids(client)).toEqual(["m8"]);
  server.streams[0]?.cut();
  await streams(server, 2);
  expect(server.streams[1]?.since).toBe("f.2");
});

test("P3: a heartbeat with a version that we do not have finds what got lost", async (context) => {
  const { server, client } = await begin(context);
  const all = watched(client);
  server.streams[0]?.beat(5);
  server.streams[0]?.beat(4);
  server.streams[0]?.beat(6);
  await streams(server, 2);
  expect(server.streams[1]?.since).toBe("e.5");
  server.streams[1]?.send(four);
  await reaches(client, 6);
  server.streams[1]?.beat(6);
  server.streams[1]?.send(groupOf(6, 7, created(messageOf(5))));
  await reaches(client, 7);
  expect(server.streams.length).toBe(2);
  // Not by its silence: that would have taken the client out of realtime.
  expect(new Set(all.map(({ mode }) => mode))).toEqual(new Set(["realtime"]));
});

test("what is no JSON ends the stream, and the next one goes on", async (context) => {
  const { server, client } = await begin(context);
  server.state = null;
  server.streams[0]?.write("data: {no json\n\n");
  await streams(server, 2);
  server.streams[1]?.send(four);
  await reaches(client, 6);
  await expect.poll(() => client.getSnapshot(), PATIENTLY).toMatchObject({ mode: "realtime", fault: null });
});

test("events of a name or type that we do not know are left out", async (context) => {
  const { server, client } = await begin(context);
  const [stream] = server.streams;
  stream?.write(`event: weather\ndata: rain\n\n: a comment\n\n`);
  const unknown = { type: "planet-created", version: 6, data: {}, prev: 5, cursor: "e.6" };
  stream?.write(`data: ${JSON.stringify(unknown)}\n\n`);
  await reaches(client, 6);
  expect(ids(client)).toEqual(["m1", "m2", "m3"]);
});

test("a stream that ends as it should is tried again at our cursor", async (context) => {
  const { server, client } = await begin(context);
  server.state = null;
  server.streams[0]?.end();
  await streams(server, 2);
  await expect.poll(() => client.getSnapshot().mode, PATIENTLY).toBe("realtime");
  expect(server.streams[1]?.since).toBe("e.5");
});

test("a client has one stream at a time, and none after close", async (context) => {
  const { server, client } = await begin(context);
  for (let version = 6; version < 9; version++) {
    server.state = stateOf(version);
    const before = server.streams.length;
    server.streams.at(-1)?.cut();
    await streams(server, before + 1);
  }
  await expect.poll(() => server.streams.filter(({ isOpen }) => isOpen).length, PATIENTLY).toBe(1);
  client.close();
  await expect.poll(() => server.streams.filter(({ isOpen }) => isOpen).length, PATIENTLY).toBe(0);
});

test("P3: a state that was asked before a stream came alive does not undo what the stream says", async (context) => {
  const { server, client } = await begin(context);
  server.state = null;
  server.streams[0]?.cut();
  await expect.poll(() => client.getSnapshot().mode, PATIENTLY).toBe("polling");
  await streams(server, 2);
  server.state = stateOf(4);
  server.streams[1]?.send(four);
  await reaches(client, 6);
  await client.refresh();
  expect(ids(client)).toEqual(["m1", "m2", "m3", "m4"]);
});

test("P11: a poll that is answered after a stream came alive counts for nothing", async (context) => {
  const { server, client } = await begin(context);
  let letThrough = () => {};
  server.held = new Promise<void>((resolve) => {
    letThrough = resolve;
  });
  server.state = stateOf(9, { intentions: [messageOf(9)] });
  server.opened = (stream) => stream.send([spaceSyncOf(2, { cursor: "f.2", intentions: [messageOf(1)] })]);
  server.streams[0]?.cut();
  await reaches(client, 2);
  expect(server.polls.length).toBe(1);
  letThrough();
  server.streams[1]?.send([{ ...created(messageOf(2))(3), prev: 2, cursor: "f.3" }]);
  await reaches(client, 3);
  expect(ids(client)).toEqual(["m1", "m2"]);
});
