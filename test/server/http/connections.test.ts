import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { Hono } from "hono";
import { afterEach, expect, test } from "vitest";
import { readConfig } from "../../../src/server/config.js";
import type { App } from "../../../src/server/http/app.js";
import { createHttpServer, type HttpLimits } from "../../../src/server/http/listen.js";
import { Metrics } from "../../../src/server/metrics.js";

// Real sockets of this machine, some of which say that they come from elsewhere.

const sockets: Socket[] = [];
let server: Server;
let metrics: Metrics;

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

/** `addresses`: where the connections come from, in their order; then from here. */
async function serve(limits: Partial<HttpLimits>, ...addresses: string[]): Promise<void> {
  metrics = new Metrics();
  const app = new Hono().get("/", (context) => context.text("here")) as unknown as App;
  server = createHttpServer(app, { ...readConfig({}).http, ...limits }, metrics);
  server.prependListener("connection", (socket: Socket) => {
    const value = addresses.shift();
    if (value !== undefined) Object.defineProperty(socket, "remoteAddress", { value });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
}

/** Opens a connection and asks on it: whether there was an answer. It stays open then. */
async function knock(): Promise<boolean> {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  sockets.push(socket);
  socket.on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  return new Promise((resolve) => {
    socket.once("data", () => resolve(true)).once("close", () => resolve(false));
  });
}

const refusals = async (reason: string) =>
  (await metrics.refusals.get()).values.find(({ labels }) => labels.reason === reason)?.value ?? 0;

test("a relay has so many connections: one more is closed at once and counted, until one leaves", async () => {
  await serve({ connections: 2 });
  expect([await knock(), await knock(), await knock()]).toEqual([true, true, false]);
  expect(await refusals("connections")).toBe(1);
  sockets[0]?.destroy();
  await expect.poll(knock).toBe(true);
});

test("an address has so many connections, and another one has its own", async () => {
  const [one, another] = ["203.0.113.1", "2001:db8::1"];
  await serve({ connectionsPerAddress: 2 }, one, another, `::ffff:${one}`, one, one, another, "2001:db8::2");
  expect([await knock(), await knock(), await knock()]).toEqual([true, true, true]);
  expect([await knock(), await knock()]).toEqual([false, false]);
  expect([await knock(), await knock()]).toEqual([true, false]);
  expect(await refusals("connections_per_address")).toBe(3);
});

test("an address that has let one connection go may have another", async () => {
  const from = Array<string>(1_000).fill("203.0.113.1");
  await serve({ connectionsPerAddress: 1 }, ...from);
  expect([await knock(), await knock()]).toEqual([true, false]);
  sockets[0]?.destroy();
  await expect.poll(knock).toBe(true);
});

test("this machine itself has any number, and so has everybody at 0", async () => {
  await serve({ connectionsPerAddress: 1 });
  expect([await knock(), await knock(), await knock()]).toEqual([true, true, true]);
  server.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await once(server, "close");
  await serve({ connectionsPerAddress: 0 }, "203.0.113.1", "203.0.113.1");
  expect([await knock(), await knock()]).toEqual([true, true]);
});
