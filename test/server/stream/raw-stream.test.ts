import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { Hub } from "../../../src/server/feed/hub.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db, { heartbeatMs: 100 });
const sockets: Socket[] = [];
const session = useSession(db);

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** A connection on which just this is said, and what comes back. */
function say(text: string): { readonly socket: Socket; readonly heard: string } {
  const { hostname, port } = new URL(relay.current.url);
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  sockets.push(socket);
  const line = { socket, heard: "" };
  socket.setEncoding("utf8").on("data", (piece: string) => {
    line.heard += piece;
  });
  socket.on("error", () => {});
  socket.write(text);
  return line;
}

const isClosed = ({ socket }: { socket: Socket }) => socket.readableEnded || socket.destroyed;
const refusals = async (reason: string) =>
  (await relay.current.metrics.refusals.get()).values.find(({ labels }) => labels.reason === reason)?.value ??
  0;
const streams = async () => (await relay.current.metrics.clients.get()).values[0]?.value;

test("a stream is a body without length or chunks, which ends with the connection, also for HTTP/1.0", async () => {
  const spaceId = await newSpace(relay.current);
  for (const version of ["1.0", "1.1"]) {
    const line = say(`GET /api/stream?spaceId=${spaceId} HTTP/${version}\r\nHost: here\r\n\r\n`);
    await expect.poll(() => line.heard).toContain("space-sync");
    const [head, body] = line.heard.split("\r\n\r\n") as [string, string];
    expect(head).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(head).toMatch(/\r\nConnection: close\r\n/);
    expect(head).not.toMatch(/Transfer-Encoding|Content-Length/i);
    expect(body).toMatch(/^retry: \d+\n\n(event: heartbeat\ndata: .*\n\n)+id: /);
  }
});

test("what a client says behind the request of a stream is not heard", async () => {
  const spaceId = await newSpace(relay.current);
  const stream = `GET /api/stream?spaceId=${spaceId} HTTP/1.1\r\nHost: here\r\n\r\n`;
  const line = say(stream);
  await expect.poll(() => line.heard).toContain("space-sync");
  const body = JSON.stringify({ action: "create", intentionId: "behind", spaceId });
  line.socket.write(
    `POST /api/intentions HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  line.socket.write(`${stream}nonsense\r\n\r\n`.repeat(1_000));
  await post(relay.current, "intentions", { action: "create", intentionId: "beside", spaceId });
  await expect.poll(() => line.heard).toContain('"beside"');
  expect(await session.query("select id from intentions where id = 'behind'")).toEqual([]);
  expect(line.heard.match(/HTTP\/1.1/g)).toHaveLength(1);
});

test("a stream that is asked for behind a request that is not answered yet is refused", async () => {
  const spaceId = await newSpace(relay.current);
  const get = (path: string) => `GET ${path}?spaceId=${spaceId} HTTP/1.1\r\nHost: here\r\n\r\n`;
  await session.run("begin", "lock table public.intentions in access exclusive mode");
  const line = say(get("/api/sync") + get("/api/stream"));
  await expect
    .poll(() => session.value("select count(*)::int from pg_catalog.pg_locks where not granted"))
    .toBe(1);
  await expect.poll(() => line.heard.match(/HTTP\/1.1 \d+/g), { timeout: 5_000 }).toHaveLength(2);
  await session.run("commit");
  expect(line.heard).toContain('"code":"invalid"');
  expect(line.heard).not.toContain("event-stream");
  expect(await streams()).toBe(0);
});

test("what is asked for behind a stream in one go closes the connection: its answers would wait for ever", async () => {
  const spaceId = await newSpace(relay.current);
  const before = await refusals("pipelined");
  const get = (path: string) => `GET ${path}?spaceId=${spaceId} HTTP/1.1\r\nHost: here\r\n`;
  for (const stream of [
    get("/api/stream"),
    get("/api/%73tream"),
    `${get("/api/sync")}Accept: text/event-stream\r\n`,
  ]) {
    const line = say(`${stream}\r\n${get("/api/sync")}\r\n`);
    await expect.poll(() => isClosed(line), { timeout: 10_000 }).toBe(true);
    expect(line.heard.match(/HTTP\/1.1/g)?.length ?? 0).toBeLessThan(2);
  }
  await expect.poll(streams).toBe(0);
  expect(await refusals("pipelined")).toBe(before + 3);
});

test("a connection has so many requests that wait for their answers, and is closed at one more", async () => {
  const get = "GET /openapi.json HTTP/1.1\r\nHost: here\r\n\r\n";
  const before = await refusals("pipelined");
  const enough = say(get.repeat(8));
  await expect.poll(() => enough.heard.match(/HTTP\/1.1 200/g)?.length).toBe(8);
  enough.socket.write(get);
  await expect.poll(() => enough.heard.match(/HTTP\/1.1 200/g)?.length).toBe(9);
  const tooMany = say(get.repeat(9));
  await expect.poll(() => isClosed(tooMany)).toBe(true);
  expect(tooMany.heard).toBe("");
  expect(await refusals("pipelined")).toBe(before + 1);
});

test.each([
  ["closes its connection", (socket: Socket) => socket.destroy()],
  ["resets its connection", (socket: Socket) => socket.resetAndDestroy()],
  ["ends its half of the connection", (socket: Socket) => socket.end()],
])("a client that %s leaves no reader behind", async (_, leave) => {
  const spaceId = await newSpace(relay.current);
  await expect.poll(streams).toBe(0);
  const line = say(`GET /api/stream?spaceId=${spaceId} HTTP/1.1\r\nHost: here\r\n\r\n`);
  await expect.poll(() => line.heard).toContain("space-sync");
  expect(await streams()).toBe(1);
  const closed = once(line.socket, "close");
  leave(line.socket);
  await expect.poll(streams).toBe(0);
  line.socket.end();
  await closed;
});

test("a stream is not asked for with a body: one that never came would be missed in the midst of it", async () => {
  const spaceId = await newSpace(relay.current);
  for (const header of ["Content-Length: 10", "Transfer-Encoding: chunked"]) {
    const line = say(`GET /api/stream?spaceId=${spaceId} HTTP/1.1\r\nHost: here\r\n${header}\r\n\r\n`);
    await expect.poll(() => line.heard).toContain('"code":"invalid"');
    expect(line.heard).toMatch(/^HTTP\/1.1 400 /);
  }
});

test("a stream that fails after its head was written is cut, and leaves nothing open", async () => {
  const spaceId = await newSpace(relay.current);
  const join = vi.spyOn(Hub.prototype, "join").mockImplementationOnce(() => {
    throw new Error("a fault of ours");
  });
  const { socket } = say(`GET /api/stream?spaceId=${spaceId} HTTP/1.1\r\nHost: here\r\n\r\n`);
  await once(socket, "end");
  expect(join).toHaveBeenCalledOnce();
  join.mockRestore();
  await expect.poll(streams).toBe(0);
});
