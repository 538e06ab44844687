import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type EmbeddedPostgres, startEmbedded } from "../../../src/embedded/embedded.js";
import type { Being, Intention } from "../../../src/protocol/messages.js";
import type { Relay } from "../../../src/server/relay.js";
import { ModelClient } from "../../support/model/client.js";
import { useDatabase } from "../../support/postgres/database.js";
import { Session, useSession } from "../../support/postgres/session.js";
import { post, startTestRelay } from "../../support/relay/relay.js";

const SLOW = 40_000;
const db = useDatabase();
const session = useSession(db);
let clients: ModelClient[];
let relay: Relay;
let spaceId: string;
let made = 0;

beforeEach(async () => {
  clients = [];
  spaceId = `space-${++made}`;
  await session.query("insert into beings (id, type) values ($1, 'space')", [spaceId]);
});

afterEach(async () => {
  for (const client of clients) client.drop();
  await relay?.close();
});

function join3(url: string): void {
  clients = Array.from({ length: 3 }, () => new ModelClient(url, spaceId));
  for (const client of clients) client.connect();
}

async function say(by: Session, ...texts: string[]): Promise<void> {
  for (const text of texts) {
    await by.query("insert into intentions (location_id, content) values ($1, jsonb_build_array($2::text))", [
      spaceId,
      text,
    ]);
  }
}

/** All clients are where the database is, and equal to it. */
async function settle(by: Session, ...more: ModelClient[]): Promise<void> {
  const cursor = (await by.value("select sync.current_cursor($1)", [spaceId])) as string;
  const [state] = await by.query("select beings, intentions from sync.snapshot($1, 10000)", [spaceId]);
  for (const client of [...clients, ...more]) {
    await client.until(cursor, SLOW);
    expect(client.difference(state?.beings as Being[], state?.intentions as Intention[])).toBeUndefined();
  }
}

/** What keeps the process alive beyond what vitest and this file's own session have. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1;
  // Vitest's own traffic and timers come and go; ours would stay.
  return {
    Timeout: counts.Timeout ?? 0,
    servers: counts.TCPServerWrap ?? 0,
    sockets: counts.TCPSocketWrap ?? 0,
  };
}

test("P3: clients resume at a relay that was restarted, and miss nothing", async () => {
  relay = await startTestRelay(db);
  join3(relay.url);
  await settle(session);
  const port = Number(new URL(relay.url).port);
  await relay.close();
  await say(session, "while", "it", "was", "away");
  relay = await startTestRelay(db, { port });
  await say(session, "and after");
  await settle(session);
  // Caught up by events from their own cursors.
  expect(clients.map(({ counts }) => [counts.spaceSyncs, counts.events])).toEqual(clients.map(() => [1, 6]));
});

test("a relay that is closed ends its streams cleanly, and leaves no session and no timer", async () => {
  const before = resources();
  relay = await startTestRelay(db, { heartbeatMs: 100 });
  // Read with a plain socket: the end of the answer is the end of the connection.
  const { hostname, port } = new URL(relay.url);
  const socket = connect(Number(port), hostname);
  let text = "";
  socket.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  socket.write(`GET /api/stream?spaceId=${spaceId} HTTP/1.1\r\nHost: here\r\n\r\n`);
  await expect.poll(() => text).toContain("space-sync");
  expect(text).toMatch(/^HTTP\/1.1 200 OK\r\n(.+\r\n)*Connection: close\r\n/);
  expect(text).not.toMatch(/Transfer-Encoding|Content-Length/i);
  const finished = once(socket, "end");
  const ended = new Promise<boolean>((resolve) => socket.once("close", resolve));
  await relay.close();
  await finished;
  expect(await ended, "closed by an error").toBe(false);
  expect(text.endsWith("\n\n")).toBe(true);
  const sessions = `select application_name from pg_stat_activity
    where datname = current_database() and application_name like 'spacefeed%'`;
  await expect.poll(() => session.query(sessions)).toEqual([]);
  // Without expect.poll, which has timers of its own.
  const stray = () => Object.entries(resources()).filter(([name, count]) => count > (before[name] ?? 0));
  for (let i = 0; i < 100 && stray().length > 0; i++) await setTimeout(20);
  expect(stray()).toEqual([]);
});

test("P10: a client that stops reading harms nobody, and is made whole when it reads again", {
  timeout: SLOW,
}, async () => {
  relay = await startTestRelay(db, { heartbeatMs: 100 });
  join3(relay.url);
  await settle(session);
  const slow = clients.pop() as ModelClient;
  const { cursor } = slow;
  slow.drop();

  const { hostname, port } = new URL(relay.url);
  const stuck: Socket = connect(Number(port), hostname);
  stuck.on("error", () => {});
  stuck.write(`GET /api/stream?spaceId=${spaceId}&since=${cursor} HTTP/1.1\r\nHost: here\r\n\r\n`);
  await new Promise((resolve) => stuck.once("readable", resolve));
  const read = async (metric: "clients" | "events" | "cutOff") =>
    (await relay.metrics[metric].get()).values[0]?.value ?? 0;
  const before = await read("events");
  let newest = "";
  for (let i = 0; i < 20; i++) {
    await say(session, `${i} ${"x".repeat(1_000_000)}`);
    newest = (await session.value("select sync.current_cursor($1)", [spaceId])) as string;
    for (const client of clients) await client.until(newest);
  }
  // The sockets take a few messages for it, the relay not one more: it is set aside.
  expect((await read("events")) - before).toBeLessThan(2 * 20 + 12);
  expect([await read("clients"), await read("cutOff")]).toEqual([3, 0]);

  let tail = "";
  for await (const chunk of stuck) {
    tail = tail.slice(-200) + chunk;
    if (tail.includes(`id: ${newest}\n`)) break;
  }
  stuck.destroy();

  clients.push(slow);
  slow.connect();
  await settle(session);
  expect(clients.map(({ counts }) => counts.cuts)).toEqual([0, 0, 0]);
});

/** A server that this file starts and stops, with a relay and clients on it, all through what `restart` does. */
async function acrossRestart(
  restart: (server: EmbeddedPostgres, directory: string) => Promise<void>,
): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "spacefeed-restart-"));
  await chmod(dataDir, 0o755); // mkdtemp's mode is 0700, which would send root's data elsewhere
  let server = await startEmbedded({ dataDir, port: 54_500, log: () => {} });
  try {
    const { url } = server;
    relay = await startTestRelay({ ...db, url }, { heartbeatMs: 100 });
    await withSession(url, async (own) => {
      await own.query("insert into beings (id, type) values ($1, 'space')", [spaceId]);
      join3(relay.url);
      await settle(own);
      await say(own, "before");
      await restart(server, (await own.value("show data_directory")) as string);
    });
    // A killed server's backends may answer for a moment more.
    const ask = () => post(relay, "intentions", { action: "create", intentionId: "meanwhile", spaceId });
    await expect.poll(ask, { timeout: SLOW }).toMatchObject({ status: 503, body: { code: "unavailable" } });
    server = await startEmbedded({ dataDir, port: Number(new URL(url).port), log: () => {} });
    expect(server.url, "the same port").toBe(url);
    await withSession(url, async (own) => {
      await say(own, "after", "the restart");
      await settle(own);
      await expect.poll(async () => (await fetch(`${relay.url}/readyz`)).status, { timeout: SLOW }).toBe(200);
      await say(own, "and once more");
      await settle(own);
    });
    expect(clients.map(({ counts }) => [counts.cuts, counts.spaceSyncs])).toEqual(clients.map(() => [0, 1]));
  } finally {
    for (const client of clients) client.drop();
    await relay.close();
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function withSession(url: string, work: (own: Session) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {}); // the server goes away under it
  await client.connect();
  const connect = async () => client;
  try {
    await work(await Session.open({ url, connect }));
  } finally {
    await client.end().catch(() => {});
  }
}

test("P3: clients stay connected while Postgres is restarted, and miss nothing", { timeout: SLOW }, () =>
  acrossRestart((server) => server.stop()),
);

test(
  "P3: clients stay connected while Postgres is killed and recovers, and miss nothing",
  { timeout: SLOW },
  () =>
    acrossRestart(async (server, directory) => {
      const [pid] = (await readFile(join(directory, "postmaster.pid"), "utf8")).split("\n");
      process.kill(Number(pid), "SIGKILL");
      await server.exited;
      await server.stop(); // gives the directory up
    }),
);
