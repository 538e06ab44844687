import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { post, startTestRelay, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db, { heartbeatMs: 100 });
const ask = (path: string) => fetch(new URL(path, relay.current.url));

/** The values of /metrics by name, labels included. */
async function metrics(): Promise<Record<string, number>> {
  const text = await (await ask("/metrics")).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

const clients = async (endpoint: string) => (await metrics())[`spacefeed_clients{endpoint="${endpoint}"}`];

test("/healthz says that the process lives", async () => {
  const response = await ask("/healthz");
  expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
});

test("/readyz says that the database and LISTEN answer, and which incarnation of the data it is", async () => {
  const response = await ask("/readyz");
  const body = await response.json();
  expect([response.status, body]).toEqual([
    200,
    { status: "ready", epoch: expect.stringMatching(/^[0-9a-f]{16}$/), warnings: [] },
  ]);
});

test("/readyz looks once for all who ask at a time, and not again at once", async () => {
  const looks = async () => (await metrics())['spacefeed_query_seconds_count{query="epoch"}'] as number;
  const first = await looks();
  await expect
    .poll(async () => (await ask("/readyz")).ok && (await looks()), { timeout: 10_000 })
    .toBeGreaterThan(first);
  const before = await looks();
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask("/readyz")));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  // One, where the second is over meanwhile.
  expect((await looks()) - before).toBeLessThanOrEqual(1);
});

test("/readyz is 503 while LISTEN is lost, and 200 again by itself; /healthz stays 200", async () => {
  const admin = await db.connect();
  const seen = new Set<number>();
  await expect
    .poll(
      async () => {
        await admin.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'spacefeed listener' and datname = current_database()",
        );
        const response = await ask("/readyz");
        if (response.status === 503) expect(await response.json()).toMatchObject({ code: "unavailable" });
        if (response.status === 503) expect(response.headers.get("retry-after")).toMatch(/^\d+$/);
        expect((await ask("/healthz")).status).toBe(200);
        seen.add(response.status);
        return seen.has(503);
      },
      { timeout: 10_000, interval: 1 },
    )
    .toBe(true);
  await expect.poll(async () => (await ask("/readyz")).status, { timeout: 10_000 }).toBe(200);
});

test("/metrics is in the format of Prometheus, and has what issue 2 asks for", async () => {
  const response = await ask("/metrics");
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=/);
  const names = Object.keys(await metrics()).map((name) => name.replace(/\{.*/, ""));
  for (const name of [
    "spacefeed_clients",
    "spacefeed_events_sent_total",
    "spacefeed_bytes_sent_total",
    "spacefeed_catch_ups_total",
    "spacefeed_snapshots_total",
    "spacefeed_wake_ups_total",
    "spacefeed_query_seconds_bucket",
    "spacefeed_query_seconds_count",
    "spacefeed_listening",
    "spacefeed_notify_queue_usage",
    "spacefeed_refusals_total",
    "process_cpu_seconds_total",
  ]) {
    expect(names).toContain(name);
  }
});

test("the metrics move with what happens", async () => {
  await expect.poll(async () => (await metrics()).spacefeed_listening, { timeout: 10_000 }).toBe(1);
  const spaceId = await newSpace(relay.current);
  const before = await metrics();
  const stream = await openStream(streamUrl(relay.current.url, spaceId));
  const feed = await openStream(new URL(`/api/sync?spaceId=${spaceId}`, relay.current.url));
  for (const each of [stream, feed]) await each.until((events) => events.length === 1);
  await post(relay.current, "intentions", { action: "create", spaceId });
  for (const each of [stream, feed]) await each.until((events) => events.at(-1)?.version === 2);
  const now = await metrics();
  expect(now['spacefeed_clients{endpoint="stream"}']).toBe(1);
  expect(now['spacefeed_clients{endpoint="sync"}']).toBe(1);
  for (const name of [
    "spacefeed_events_sent_total",
    "spacefeed_bytes_sent_total",
    "spacefeed_catch_ups_total",
    "spacefeed_snapshots_total",
    "spacefeed_wake_ups_total",
    'spacefeed_query_seconds_count{query="write"}',
    'spacefeed_query_seconds_count{query="changes_since"}',
    'spacefeed_query_seconds_count{query="state"}',
  ]) {
    expect(now[name], name).toBeGreaterThan(before[name] ?? 0);
  }
  stream.close();
  feed.close();
  await expect.poll(() => clients("stream"), { timeout: 10_000 }).toBe(0);
  await expect.poll(() => clients("sync"), { timeout: 10_000 }).toBe(0);
});

test("spacefeed_events_sent_total counts events, and no heartbeats", async () => {
  const spaceId = await newSpace(relay.current);
  const stream = await openStream(streamUrl(relay.current.url, spaceId));
  await stream.until((events) => events.length === 1);
  const before = (await metrics()).spacefeed_events_sent_total;
  const beats = () => stream.messages.filter((message) => message.event === "heartbeat").length;
  const heard = beats();
  await expect.poll(beats, { timeout: 10_000 }).toBeGreaterThan(heard + 2);
  const after = (await metrics()).spacefeed_events_sent_total;
  stream.close();
  expect(after).toBe(before);
});

test("two relays in one process count for themselves", async () => {
  const other = await startTestRelay(db);
  const stream = await openStream(streamUrl(other.url, await newSpace(other)));
  await stream.until((events) => events.length === 1);
  const text = await other.metrics.registry.metrics();
  const ours = (await relay.current.metrics.snapshots.get()).values;
  stream.close();
  await other.close();
  expect(text).toContain("spacefeed_snapshots_total 1");
  expect((await relay.current.metrics.snapshots.get()).values).toEqual(ours);
});

test("a HEAD of a stream is answered, and leaves no reader behind", async () => {
  const spaceId = await newSpace(relay.current);
  const controller = new AbortController();
  const head = fetch(streamUrl(relay.current.url, spaceId), { method: "HEAD", signal: controller.signal });
  const status = head.then(
    (response) => response.status,
    () => "none",
  );
  const readers = async () => (await metrics())['spacefeed_clients{endpoint="stream"}'] ?? 0;
  const queries = async () => (await metrics())['spacefeed_query_seconds_count{query="open"}'] ?? 0;
  const before = await queries();
  // The answer to a request that came later is there: the HEAD has had its turn.
  const later = await openStream(streamUrl(relay.current.url, spaceId));
  await later.until((events) => events.length === 1);
  await expect.poll(queries, { timeout: 10_000 }).toBeGreaterThanOrEqual(before);
  const there = await readers();
  later.close();
  controller.abort();
  expect([await status, there]).toEqual([200, 1]);
});

test("who leaves while its stream is being opened is not counted, and leaves no reader behind", async () => {
  const spaceId = await newSpace(relay.current);
  const { hostname, port } = new URL(relay.current.url);
  for (let n = 0; n < 50; n++) {
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    socket.write(`GET /api/stream?spaceId=${encodeURIComponent(spaceId)} HTTP/1.1\r\nHost: here\r\n\r\n`);
    await setTimeout(n % 10);
    socket.destroy();
  }
  await expect.poll(() => clients("stream"), { timeout: 10_000 }).toBe(0);
});
