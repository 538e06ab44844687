import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Metrics } from "../../../src/server/metrics.js";
import { Connection } from "../../../src/server/stream/connection.js";

// Real sockets. Only the looks at what waits are made by hand.

let server: Server;
let metrics: Metrics;
let client: Socket;
let connection: Connection;
let isClosed: boolean;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  metrics = new Metrics();
  isClosed = false;
  const opened = new Promise<Connection>((resolve) => {
    server = createServer((_, response) =>
      resolve(new Connection(response, "stream", new Headers(), metrics)),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  client.on("error", () => {});
  client.write("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  connection = await opened;
  connection.onClose(() => {
    isClosed = true;
  });
});

afterEach(async () => {
  client.destroy();
  server.closeAllConnections();
  server.close();
  await once(server, "close");
  vi.useRealTimers();
});

const clients = async () => (await metrics.clients.get()).values[0]?.value;
const cutOff = async () => (await metrics.cutOff.get()).values[0]?.value;
const look = () => vi.advanceTimersByTime(10_000);
/** More than the kernel takes for a reader that does not read. */
function fill(): void {
  client.pause();
  for (let n = 0; n < 32; n++) connection.write(Buffer.alloc(1024 * 1024));
  expect(connection.isBehind).toBe(true);
}

test("P10: a connection that is ended is closed, though its reader closes nothing", async () => {
  client.resume();
  connection.end();
  await expect.poll(() => isClosed).toBe(true);
  expect(await clients()).toBe(0);
  expect(client.destroyed, "the reader has not closed it").toBe(false);
});

test("P10: one that is ended while its reader takes nothing is cut off", async () => {
  fill();
  connection.end();
  for (let n = 0; n < 3; n++) look();
  await expect.poll(() => isClosed).toBe(true);
  expect(await clients()).toBe(0);
});

test("P10: a reader that takes nothing is cut off at the third look, also one that goes on talking", async () => {
  fill();
  look();
  client.write("x");
  look();
  expect([isClosed, await cutOff()]).toEqual([false, 0]);
  client.write("x");
  look();
  await expect.poll(() => isClosed).toBe(true);
  expect([await clients(), await cutOff()]).toEqual([0, 1]);
});

test("P10: a reader that takes something between the looks may take its time", async () => {
  fill();
  for (let n = 0; n < 10; n++) {
    let read = 0;
    const enough = new Promise<void>((resolve) => {
      client.on("data", function take(piece: Buffer) {
        read += piece.length;
        if (read < 2 * 1024 * 1024) return;
        client.off("data", take).pause();
        resolve();
      });
    });
    client.resume();
    await enough;
    look();
  }
  expect([isClosed, await cutOff()]).toEqual([false, 0]);
  for (let n = 0; n < 3; n++) look();
  await expect.poll(() => isClosed).toBe(true);
});
