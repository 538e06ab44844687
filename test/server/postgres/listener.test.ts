import { afterEach, beforeEach, expect, test } from "vitest";
import type { Being, Intention } from "../../../src/protocol/messages.js";
import type { Relay } from "../../../src/server/relay.js";
import { ModelClient } from "../../support/model/client.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { post, startTestRelay } from "../../support/relay/relay.js";
import { TcpProxy } from "../../support/relay/tcp-proxy.js";

const db = useDatabase();
const LISTENER = "spacefeed listener";
const SLOW = 60_000; // a half-open connection is noticed after some seconds
const session = useSession(db);
/** Between the relay and its LISTEN, and between its pool and Postgres. */
let listening: TcpProxy;
let pool: TcpProxy;
let relay: Relay;
let clients: ModelClient[];
let spaceId: string;
let made = 0;

// A relay of its own for each test: one that does not recover fails one test only.
beforeEach(async () => {
  const toListen = await TcpProxy.before(db.url);
  const toPool = await TcpProxy.before(db.url);
  listening = toListen.proxy;
  pool = toPool.proxy;
  relay = await startTestRelay(
    { ...db, url: toPool.url },
    { listenDatabaseUrl: toListen.url, heartbeatMs: 100 },
  );
  spaceId = `space-${++made}`;
  await session.query("insert into beings (id, type) values ($1, 'space')", [spaceId]);
  clients = Array.from({ length: 3 }, () => new ModelClient(relay.url, spaceId));
  for (const client of clients) client.connect();
  await settle();
});

afterEach(async () => {
  for (const client of clients) client.drop();
  await relay.close();
  listening.close();
  pool.close();
});

/** Says something in the space with SQL. */
async function say(...texts: string[]): Promise<void> {
  for (const text of texts) {
    await session.query(
      "insert into intentions (location_id, content) values ($1, jsonb_build_array($2::text))",
      [spaceId, text],
    );
  }
}

/** All clients are where the database is, and equal to it. */
async function settle(): Promise<void> {
  const cursor = (await session.value("select sync.current_cursor($1)", [spaceId])) as string;
  for (const client of clients) await client.until(cursor, SLOW);
  const [state] = await session.query("select beings, intentions from sync.snapshot($1, 10000)", [spaceId]);
  for (const client of clients) {
    expect(client.difference(state?.beings as Being[], state?.intentions as Intention[])).toBeUndefined();
  }
}

function expectNoneWasCut(): void {
  expect(clients.map((client) => [client.counts.cuts, client.counts.spaceSyncs])).toEqual(
    clients.map(() => [0, 1]),
  );
}

async function ready(): Promise<number> {
  return (await fetch(`${relay.url}/readyz`)).status;
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${relay.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)`, "m").exec(text)?.[1]);
}

/** Kills the relay's sessions of a name, and waits until they are gone. */
async function terminate(name: string): Promise<void> {
  const pids = await session.query(
    `select pid, pg_terminate_backend(pid) from pg_stat_activity
     where application_name = $1 and datname = current_database()`,
    [name],
  );
  const alive = "select count(*)::int from pg_stat_activity where pid = any($1)";
  await expect.poll(() => session.value(alive, [pids.map(({ pid }) => pid)])).toBe(0);
}

test("P3: what is written while the LISTEN session is killed arrives, and no client is cut", async () => {
  await say("before");
  await terminate(LISTENER);
  await say("in", "the", "gap");
  await settle();
  expectNoneWasCut();
});

test("P3: nothing is lost when LISTEN is refused for a while", { timeout: SLOW }, async () => {
  listening.refuse();
  listening.cut();
  await expect.poll(() => metric("spacefeed_listening")).toBe(0);
  await say("while", "nobody", "listens");
  await expect.poll(ready).toBe(503);
  await listening.accept();
  await expect.poll(ready, { timeout: SLOW }).toBe(200);
  await settle();
  // By notification now, before the backstop looks.
  const wakeUps = await metric("spacefeed_wake_ups_total");
  await say("heard");
  await settle();
  expect(await metric("spacefeed_wake_ups_total")).toBe(wakeUps + 1);
  expectNoneWasCut();
});

test.for(["both", "to server", "to client"] as const)(
  "P3: a half-open LISTEN connection (silent: %s) is noticed, and nothing is lost",
  { timeout: SLOW },
  async (directions) => {
    const { accepted } = listening;
    listening.swallow(directions);
    await say("into", "the", "void");
    await expect.poll(() => metric("spacefeed_listening"), { timeout: SLOW }).toBe(0);
    await settle();
    listening.restore();
    await expect.poll(ready, { timeout: SLOW }).toBe(200);
    expect(listening.accepted).toBeGreaterThan(accepted);
    const wakeUps = await metric("spacefeed_wake_ups_total");
    await say("heard again");
    await settle();
    expect(await metric("spacefeed_wake_ups_total")).toBe(wakeUps + 1);
    expectNoneWasCut();
  },
);

test("P3: a connection that goes silent at LISTEN itself is given up", { timeout: SLOW }, async () => {
  const { accepted } = listening;
  listening.swallowFrom("LISTEN");
  listening.cut();
  await expect.poll(() => listening.accepted, { timeout: SLOW }).toBeGreaterThan(accepted + 1);
  await say("meanwhile");
  listening.restore();
  await expect.poll(ready, { timeout: SLOW }).toBe(200);
  await settle();
  expectNoneWasCut();
});

test("a pooler that takes LISTEN and delivers nothing stops the start, and LISTEN_DATABASE_URL is named", async () => {
  const { proxy, url } = await TcpProxy.before(db.url);
  proxy.dropNotifications();
  const start = startTestRelay(db, { listenDatabaseUrl: url });
  await expect(start).rejects.toMatchObject({
    code: "config",
    message: expect.stringContaining("LISTEN_DATABASE_URL"),
  });
  proxy.close();
});

test("P3: killing the pool's connections amid writes loses nothing", { timeout: SLOW }, async () => {
  for (let i = 0; i < 10; i++) {
    await say(`${i}`);
    await terminate("spacefeed");
    await say(`${i} again`);
  }
  await settle();
  expectNoneWasCut();
});

test("P3: with the database away, writes are refused, streams stay open, and catch up", {
  timeout: SLOW,
}, async () => {
  pool.refuse();
  pool.cut();
  const answer = await post(relay, "intentions", { action: "create", spaceId, data: { content: ["hello"] } });
  expect(answer.status).toBe(503);
  expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
  expect(answer.body).toMatchObject({ success: false, code: "unavailable" });
  await expect.poll(ready, { timeout: 10_000 }).toBe(503);
  expect((await fetch(`${relay.url}/healthz`)).status).toBe(200);
  await say("others", "can", "write");
  const beats = clients.map((client) => client.counts.heartbeats + 3);
  for (const [i, client] of clients.entries()) {
    await client.until(() => client.counts.heartbeats >= (beats[i] as number));
  }
  const newcomer = new ModelClient(relay.url, spaceId);
  clients.push(newcomer);
  newcomer.connect();
  await newcomer.until(() => newcomer.refusal !== undefined);
  expect(newcomer.refusal).toMatchObject({ status: 503, retryAfter: expect.stringMatching(/^\d+$/) });

  await pool.accept();
  await settle();
  await expect.poll(ready, { timeout: 10_000 }).toBe(200);
  clients.pop()?.drop();
  expectNoneWasCut();
});
