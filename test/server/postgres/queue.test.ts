import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type EmbeddedPostgres, startEmbedded } from "../../../src/embedded/embedded.js";
import { readConfig } from "../../../src/server/config.js";
import { type Relay, startRelay } from "../../../src/server/relay.js";
import { post } from "../../support/relay/relay.js";

// The queue is the whole server's, and has 8 GB: one of our own with the least that there is, 64 pages.
const PAGES = 64;
/** Takes a page of the queue. */
const NOTIFY = `select pg_notify('anything', repeat('x', 7900))`;

let dataDir: string;
let server: EmbeddedPostgres | undefined;
let relay: Relay | undefined;
let logged: { level: number; msg: string; holders?: unknown[] }[];
const clients: pg.Client[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "spacefeed-queue-"));
  await chmod(dataDir, 0o755); // mkdtemp's mode is 0700, which would send root's data elsewhere
  const start = () => startEmbedded({ dataDir, port: 54_600, log: () => {} });
  server = await start();
  const admin = await connect("admin");
  await admin.query(`alter system set max_notify_queue_pages = ${PAGES}`);
  await admin.end();
  await server.stop();
  server = await start();

  logged = [];
  const log = pino({ level: "info" }, { write: (line) => void logged.push(JSON.parse(line)) });
  relay = await startRelay({ ...readConfig({}), databaseUrl: server.url, demo: false, port: 0 }, log);
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end().catch(() => {})));
  await relay?.close();
  await server?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

async function connect(name: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server?.url, application_name: name });
  client.on("error", () => {});
  clients.push(client);
  await client.connect();
  return client;
}

const ask = (path: string) => fetch(new URL(path, relay?.url));
const readiness = async () => {
  const response = await ask("/readyz");
  return { status: response.status, warnings: ((await response.json()) as { warnings: string[] }).warnings };
};
const usage = async () =>
  Number(/^spacefeed_notify_queue_usage (.+)$/m.exec(await (await ask("/metrics")).text())?.[1]);
const warnings = () => logged.filter(({ level, msg }) => level === 40 && msg.includes("NOTIFY queue"));
const say = () => post(relay as Relay, "intentions", { action: "create", spaceId: "hall" });

test("a listener stuck in a transaction is warned of, and named in the log, long before writers fail", async (context) => {
  await post(relay as Relay, "beings", { action: "create", beingId: "hall", data: { type: "space" } });
  expect(await readiness()).toEqual({ status: 200, warnings: [] });
  expect(await usage()).toBeLessThan(0.1);

  const stuck = await connect("a forgetful worker");
  context.onTestFinished(() => stuck.end().catch(() => {}));
  await stuck.query("listen anything");
  await stuck.query("begin");
  const { pid } = (await stuck.query("select pg_backend_pid() as pid, now()")).rows[0] as { pid: number };
  const writer = await connect("writer");
  let sent = 0;
  const fullness = "select pg_notification_queue_usage() as usage";
  for (; (await writer.query(fullness)).rows[0].usage < 0.1; sent++) {
    expect(sent, "notifications that fill nothing").toBeLessThan(PAGES);
    await writer.query(NOTIFY);
  }
  await expect.poll(async () => (await readiness()).warnings, { timeout: 10_000 }).toHaveLength(1);

  // Ready, with a warning that tells a stranger nothing of the session. The log does.
  expect(await readiness()).toEqual({
    status: 200,
    warnings: [
      expect.stringMatching(/^the NOTIFY queue is 1\d% full, and writers fail at 100%: the relay's log/),
    ],
  });
  expect(await usage()).toBeGreaterThanOrEqual(0.1);
  expect(await usage()).toBeLessThan(0.2);
  expect(warnings()).toHaveLength(1);
  expect(warnings()[0]?.msg).toMatch(`select pg_terminate_backend(${pid})`);
  // The oldest first; a query that the relay happens to run is younger.
  const [oldest] = (warnings()[0]?.holders ?? []) as unknown[];
  expect(oldest).toEqual({
    pid,
    database: "spacefeed",
    user: "postgres",
    application: "a forgetful worker",
    since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
  });

  // Writers go on for several times as much, and then the API says why it cannot.
  let more = 0;
  let refusal: unknown;
  for (; !refusal && more < 2 * PAGES; more++) {
    refusal = await writer.query(NOTIFY).then(
      () => undefined,
      (error: Error) => error.message,
    );
  }
  expect(refusal).toBe("too many notifications in the NOTIFY queue");
  expect(more / sent).toBeGreaterThan(4);
  const refused = await say();
  expect(refused).toMatchObject({ status: 503, body: { success: false, code: "unavailable" } });
  expect(refused.body.error).toMatch(/NOTIFY queue of the database is full/);

  const unready = async () => {
    const response = await ask("/readyz");
    return [response.status, await response.text()];
  };
  await expect
    .poll(unready, { timeout: 10_000 })
    .toEqual([
      503,
      expect.stringMatching(/notifications do not arrive.*the NOTIFY queue is (9\d|100)% full/),
    ]);

  // What the log says to do mends it.
  await writer.query("select pg_terminate_backend($1)", [pid]);
  await expect.poll(async () => (await say()).status).toBe(200);
  await expect.poll(readiness, { timeout: 20_000 }).toEqual({ status: 200, warnings: [] });
  expect(logged.map(({ msg }) => msg)).toContain("the NOTIFY queue is emptied again");
});

test("a relay that may not look at the queue is ready, and says NaN and why", async () => {
  const admin = await connect("admin");
  await admin.query("alter function sync.notify_queue() rename to notify_queue_away");
  const look = async () => {
    expect(await readiness()).toEqual({ status: 200, warnings: [] });
    return usage();
  };
  await expect.poll(look, { timeout: 10_000 }).toBeNaN();
  expect(warnings().at(-1)?.msg).toBe("the NOTIFY queue cannot be watched");
  await admin.query("alter function sync.notify_queue_away() rename to notify_queue");
  await expect.poll(look, { timeout: 10_000 }).toBeLessThan(0.1);
});
