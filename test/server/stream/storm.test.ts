import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import type { Relay } from "../../../src/server/relay.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { startTestRelay, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const CLIENTS = 1_000;
const MISSED = 50;
const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

async function queries(of: Relay): Promise<Record<string, number>> {
  const { values } = await of.metrics.queries.get();
  const counts = values.filter(({ metricName }) => metricName?.endsWith("_count"));
  return Object.fromEntries(counts.map(({ labels, value }) => [labels.query, value]));
}

/** Both ends of each connection are in this process. */
const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;

/** Opens a stream with as little as possible, and gives its groups: of each the versions that `prev` and `id` say. */
function comeBack(spaceId: string, since: string, last: number): Promise<[number, number][]> {
  const { hostname, port } = new URL(relay.current.url);
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      if (!Buffer.concat(chunks.slice(-2)).includes(`.${last}"}\n\n`)) return;
      socket.destroy();
      const groups = Buffer.concat(chunks)
        .toString()
        .matchAll(/^id: \w+\.(\d+)\ndata: .*"prev":(\d+),/gm);
      resolve([...groups].map(([, id, prev]) => [Number(prev), Number(id)]));
    });
    socket.write(`GET /api/stream?spaceId=${spaceId}&since=${since} HTTP/1.1\r\nHost: here\r\n\r\n`);
  });
}

test("P3: a thousand clients that come back at once, after 50 events each, get them from memory", async () => {
  const spaceId = await newSpace(relay.current);
  const witness = await openStream(streamUrl(relay.current.url, spaceId, 1));
  const cursors: string[] = [];
  const last = 2 * MISSED + 1;
  for (let version = 2; version <= last; version++) {
    await session.query("insert into public.intentions (location_id) values ($1)", [spaceId]);
    const cursor = (await witness.until((all) => all.at(-1)?.version === version)).at(-1)?.cursor;
    cursors.push(cursor as string);
  }
  // The last reader leaves: clients that come back find its history as it was.
  witness.close();
  await expect
    .poll(async () => (await relay.current.metrics.clients.get()).values.map(({ value }) => value))
    .toEqual([0, 0]);
  const from = cursors.slice(0, MISSED);
  for (const back of [(n: number) => n % MISSED, () => MISSED - 1]) {
    const before = await queries(relay.current);
    // Holds up the first question, until all of them have come.
    await session.run("begin", "lock table sync.instance in access exclusive mode");
    const coming = Promise.all(
      Array.from({ length: CLIENTS }, (_, n) => comeBack(spaceId, from[back(n)] as string, last)),
    );
    await expect.poll(sockets, { timeout: 9_000 }).toBeGreaterThanOrEqual(2 * CLIENTS);
    await fetch(`${relay.current.url}/healthz`);
    await session.run("commit");
    for (const [n, chain] of (await coming).entries()) {
      const first = back(n) + 2;
      // Each group as it was sent at its time, and builds on the one before.
      expect(chain).toEqual(Array.from({ length: last - first }, (_, i) => [first + i, first + i + 1]));
    }
    const after = await queries(relay.current);
    expect(after.snapshot ?? 0).toBe(before.snapshot ?? 0);
    // The backstop looks every 5 s.
    expect((after.changes_since as number) - (before.changes_since as number)).toBeLessThanOrEqual(3);
    expect((after.open as number) - (before.open as number)).toBeLessThanOrEqual(3);
  }
});

test("newcomers without a cursor share the snapshot for as long as nothing has changed since", async () => {
  const spaceId = await newSpace(relay.current);
  const take = async () => {
    const stream = await openStream(streamUrl(relay.current.url, spaceId));
    const [event] = await stream.until((events) => events.length === 1);
    stream.close();
    return event;
  };
  const first = await take();
  const { snapshot } = await queries(relay.current);
  expect(await take()).toEqual(first);
  expect((await queries(relay.current)).snapshot).toBe(snapshot);
  await session.query("insert into public.intentions (location_id, name) values ($1, 'new')", [spaceId]);
  expect(await take()).toMatchObject({ type: "space-sync", version: 2, intentions: [{ name: "new" }] });
});

test("above MAX_CLIENTS a newcomer gets 503 with Retry-After, until somebody leaves", async () => {
  const small = await startTestRelay(db, { maxClients: 2 });
  try {
    const spaceId = await newSpace(small);
    const sync = new URL(`/api/sync?spaceId=${spaceId}`, small.url);
    const first = await openStream(streamUrl(small.url, spaceId));
    const second = await openStream(sync);
    for (const url of [streamUrl(small.url, spaceId), sync]) {
      const refused = await fetch(url, { headers: { Accept: "text/event-stream" } });
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThanOrEqual(1);
      expect(await refused.json()).toMatchObject({ success: false, code: "unavailable" });
    }
    const { values } = await small.metrics.refusals.get();
    expect(values.find(({ labels }) => labels.reason === "clients")?.value).toBe(2);
    // A poll is no stream.
    expect((await fetch(sync)).status).toBe(200);
    second.close();
    await expect
      .poll(async () => {
        const third = await openStream(streamUrl(small.url, spaceId));
        third.close();
        return third.response.status;
      })
      .toBe(200);
    first.close();
  } finally {
    await small.close();
  }
});
