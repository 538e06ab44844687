import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { readConfig } from "../../../src/server/config.js";
import type { Relay } from "../../../src/server/relay.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { post, startTestRelay, useRelay } from "../../support/relay/relay.js";
import { openStream } from "../../support/relay/stream.js";

const db = useDatabase();
const limits = { writesPerAddress: 5, writesPerSpace: 8, streamsPerAddress: 2, streamsPerSpace: 3 };
const relay = useRelay(db, {
  limits,
  trustProxy: 1,
  http: { ...readConfig({ TRUST_PROXY: "1" }).http, requestMs: 300, idleMs: 200, headerBytes: 2_048 },
});
const session = useSession(db);
let made = 0;
async function space(): Promise<string> {
  const id = `limited-${++made}`;
  await session.query("insert into public.beings (id, type) values ($1, 'space')", [id]);
  return id;
}
const from = (address: string) => ({ "X-Forwarded-For": address });
async function write(to: Relay, body: object, headers: Record<string, string>): Promise<Response> {
  return fetch(`${to.url}/api/intentions`, { method: "POST", headers, body: JSON.stringify(body) });
}
async function times(n: number, work: () => Promise<Response>): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < n; i++) statuses.push((await work()).status);
  return statuses;
}
const refusals = async (reason: string) =>
  (await relay.current.metrics.refusals.get()).values.find(({ labels }) => labels.reason === reason)?.value ??
  0;

async function expectLimited(response: Response, reason: string, before: number): Promise<void> {
  expect([response.status, await response.json()]).toEqual([
    429,
    { success: false, code: "rate_limited", error: expect.stringMatching(/too many .* try again in \d+ s/) },
  ]);
  expect(Number(response.headers.get("Retry-After"))).toBeGreaterThanOrEqual(1);
  expect(Number(response.headers.get("Retry-After"))).toBeLessThanOrEqual(10);
  expect(await refusals(reason)).toBeGreaterThan(before);
}

test("an address has so many writes, and another one has its own", async () => {
  const before = await refusals("writes_per_address");
  const create = async (address: string) =>
    write(relay.current, { action: "create", spaceId: await space() }, from(address));
  expect(await times(5, () => create("203.0.113.1"))).toEqual([200, 200, 200, 200, 200]);
  await expectLimited(await create("203.0.113.1"), "writes_per_address", before);
  expect((await create("203.0.113.2")).status).toBe(200);
  const list = { action: "list", spaceId: await space() };
  expect((await write(relay.current, list, from("203.0.113.1"))).status).toBe(200);
});

test("the addresses of one IPv6 customer are one, and what a client says of itself is not believed", async () => {
  const create = async (address: string) =>
    write(relay.current, { action: "create", spaceId: await space() }, from(address));
  for (let n = 1; n <= 5; n++) expect((await create(`2001:db8:0:1::${n}`)).status).toBe(200);
  expect((await create("2001:db8::1:ffff:0:0:1")).status).toBe(429);
  expect((await create("2001:db8:0:2::1")).status).toBe(200);
  for (let n = 1; n <= 5; n++) expect((await create(`198.51.100.${n}, 203.0.113.9`)).status).toBe(200);
  expect((await create("198.51.100.6, 203.0.113.9")).status).toBe(429);
});

test.each([
  ["with a port", (n: number) => `192.0.2.7:${5_000 + n}`],
  ["an IPv6 one with a port", (n: number) => `[2001:db8:7::${n}]:443`],
  [
    "an IPv4 one that is written as IPv6",
    (n: number) => ["::ffff:192.0.2.8", "::FFFF:c000:208"][n % 2] as string,
  ],
  ["that cannot be read", (n: number) => `unknown-${n}`],
  ["that is this machine's", () => "127.0.0.1"],
  ["that is missing", () => ""],
])("an address that a proxy names is limited: one %s", async (_, named) => {
  const create = async (n: number) =>
    write(relay.current, { action: "create", spaceId: await space() }, from(named(n)));
  const statuses: number[] = [];
  for (let n = 0; n < 6; n++) statuses.push((await create(n)).status);
  expect(statuses.at(-1)).toBe(429);
});

test("addresses that are written as IPv6 are each one's own", async () => {
  const create = async (n: number) =>
    write(relay.current, { action: "create", spaceId: await space() }, from(`::ffff:c000:2${10 + n}`));
  for (let n = 0; n < 6; n++) expect((await create(n)).status).toBe(200);
});

test("this machine itself is not limited by address", async () => {
  const create = async () => write(relay.current, { action: "create", spaceId: await space() }, {});
  expect(new Set(await times(12, create))).toEqual(new Set([200]));
});

test("a space has so many writes, from wherever: creates, updates and deletes, also those that do not name it", async () => {
  const before = await refusals("writes_per_space");
  const spaceId = await space();
  const there = await space();
  const create = (id: string) => ({ action: "create", intentionId: id, spaceId });
  for (let n = 0; n < 8; n++)
    expect((await write(relay.current, create(`${spaceId} ${n}`), {})).status).toBe(200);
  const id = `${spaceId} 0`;
  const elsewhere = { action: "create", intentionId: `${there} 0`, spaceId: there };
  expect((await write(relay.current, elsewhere, {})).status).toBe(200);
  for (const body of [
    create(`${spaceId} more`),
    { action: "update", intentionId: id, data: { name: "x" } },
    { action: "delete", intentionId: id },
    { action: "update", intentionId: `${there} 0`, data: { locationId: spaceId } },
  ]) {
    await expectLimited(await write(relay.current, body, {}), "writes_per_space", before);
  }
  const update = { action: "update", intentionId: `${there} 0`, data: { name: "x" } };
  expect((await write(relay.current, update, {})).status).toBe(200);
  expect((await write(relay.current, { action: "get", intentionId: id }, {})).status).toBe(200);
});

test.each(["stream", "sync"])(
  "an address and a space have so many streams (%s), until one closes",
  async (path) => {
    const [perAddress, perSpace] = [
      await refusals("streams_per_address"),
      await refusals("streams_per_space"),
    ];
    const spaceId = await space();
    const url = `${relay.current.url}/api/${path}?spaceId=${spaceId}`;
    const open = async (address: string) => {
      const stream = await openStream(url, from(address));
      expect(stream.response.status).toBe(200);
      return stream;
    };
    const streams = [await open("203.0.113.20"), await open("203.0.113.20")];
    const ask = (address: string, accept = "text/event-stream") =>
      fetch(url, { headers: { Accept: accept, ...from(address) } });
    await expectLimited(await ask("203.0.113.20"), "streams_per_address", perAddress);
    streams.push(await open("203.0.113.21"));
    await expectLimited(await ask("203.0.113.22"), "streams_per_space", perSpace);
    if (path === "sync") expect((await ask("203.0.113.22", "application/json")).status).toBe(200);
    streams[0]?.close();
    await expect
      .poll(
        async () => {
          const response = await ask("203.0.113.20");
          await response.body?.cancel();
          return response.status;
        },
        { timeout: 10_000 },
      )
      .toBe(200);
    for (const stream of streams) stream.close();
  },
);

test("a stream that is refused, and one that is only asked for, take no place", async () => {
  const spaceId = await space();
  for (let n = 0; n < 5; n++) {
    const missing = await fetch(`${relay.current.url}/api/stream?spaceId=nowhere`, {
      headers: from("203.0.113.30"),
    });
    expect(missing.status).toBe(404);
    const url = `${relay.current.url}/api/stream?spaceId=${spaceId}`;
    expect((await fetch(url, { method: "HEAD", headers: from("203.0.113.30") })).status).toBe(200);
  }
});

test("0 switches a limit off", async () => {
  const off = { writesPerAddress: 0, writesPerSpace: 0, streamsPerAddress: 0, streamsPerSpace: 0 };
  const open = await startTestRelay(db, { limits: off, trustProxy: 1 });
  try {
    const spaceId = await space();
    const create = () => write(open, { action: "create", spaceId }, from("203.0.113.40"));
    expect(new Set(await times(12, create))).toEqual(new Set([200]));
  } finally {
    await open.close();
  }
});

test("with no proxy that is trusted, X-Forwarded-For says nothing", async () => {
  const strict = await startTestRelay(db, { limits: { ...limits, writesPerAddress: 1 } });
  try {
    const spaceId = await space();
    const create = () => write(strict, { action: "create", spaceId }, from("203.0.113.41"));
    expect(await times(3, create)).toEqual([200, 200, 200]);
  } finally {
    await strict.close();
  }
});

/** What a raw connection, which its client does not close, is answered until the relay has closed it. */
async function raw(...texts: string[]): Promise<string> {
  const { hostname, port } = new URL(relay.current.url);
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  let answer = "";
  socket.on("data", (bytes) => {
    answer += bytes;
  });
  socket.on("error", () => {});
  for (const text of texts) socket.write(text);
  await expect.poll(() => socket.readableEnded || socket.destroyed, { timeout: 10_000 }).toBe(true);
  // Only where the relay has closed its side is there nobody any more to whom this could be said.
  await expect.poll(() => socket.destroyed || !socket.write("x"), { timeout: 10_000 }).toBe(true);
  socket.destroy();
  return answer;
}

test.each<[string, string[], string, string, string]>([
  [
    "a head that is too large",
    [`GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(4_000)}\r\n\r\n`],
    "431",
    "too_large",
    "header_size",
  ],
  [
    "a head that does not end",
    ["GET /healthz HTTP/1.1\r\nHost: x\r\n"],
    "408",
    "unavailable",
    "slow_request",
  ],
  ["a connection that says nothing", [], "408", "unavailable", "slow_request"],
  [
    "a body that does not end",
    ["POST /api/beings HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"],
    "408",
    "unavailable",
    "slow_request",
  ],
  ["no HTTP", ["hello\r\n\r\n"], "400", "invalid", "no_http"],
])(
  "%s is answered with its code and counted, and the connection closed",
  async (_, texts, status, code, reason) => {
    const before = await refusals(reason);
    const answer = await raw(...texts);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const body = answer.slice(answer.indexOf("\r\n\r\n") + 4);
    expect(JSON.parse(body)).toMatchObject({ success: false, code });
    expect(/\r\nRetry-After: \d+\r\n/.test(answer)).toBe(code === "unavailable");
    // More than one where fetch has left connections of the tests before, which say nothing either.
    expect(await refusals(reason)).toBeGreaterThan(before);
  },
);

test("a connection without a request is closed after a while, and a stream is not", async () => {
  const stream = await openStream(`${relay.current.url}/api/stream?spaceId=${await space()}`);
  await stream.until((events) => events.length === 1);
  const answer = await raw("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
  const before = stream.messages.length;
  await expect.poll(() => stream.messages.length, { timeout: 10_000 }).toBeGreaterThan(before);
  stream.close();
});

/** A connection of a client that asks for more than the system takes for it, and never reads. */
async function askUnread(): Promise<Socket> {
  const spaceId = await space();
  const grow = "update public.beings set content = to_jsonb(repeat('x', 16000000)) where id = $1";
  await session.query(grow, [spaceId]);
  const { hostname, port } = new URL(relay.current.url);
  const socket = connect(Number(port), hostname).pause();
  socket.on("error", () => {});
  socket.write(`GET /api/sync?spaceId=${spaceId} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return socket;
}

test("an answer that its client does not take is not kept: the connection is closed, and that counted", async () => {
  const before = await refusals("unread");
  const socket = await askUnread();
  await expect.poll(() => refusals("unread"), { timeout: 10_000 }).toBe(before + 1);
  const closed = once(socket, "close");
  socket.resume();
  await closed;
});

test("an answer that its client does not take is not kept for one who goes on talking, either", async () => {
  const socket = await askUnread();
  socket.write("GET /healthz HTTP/1.1\r\nX: ");
  const talk = () => {
    socket.write("x");
    return socket.destroyed;
  };
  await expect.poll(talk, { timeout: 10_000, interval: 100 }).toBe(true);
});

test("a stream is not closed for an answer that came before it on the same connection", async () => {
  const { hostname, port } = new URL(relay.current.url);
  const socket = connect(Number(port), hostname);
  let heard = "";
  socket.on("data", (bytes) => {
    heard += bytes;
  });
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
  socket.write(get("/healthz") + get(`/api/stream?spaceId=${await space()}`));
  // Much later than any answer may take.
  await expect.poll(() => heard, { timeout: 10_000 }).toMatch(/space-sync.*(event: heartbeat.*){3}/s);
  expect(socket.closed).toBe(false);
  socket.destroy();
});

test("what is refused for other reasons is counted by its code", async () => {
  const before = [await refusals("invalid"), await refusals("too_large"), await refusals("not_found")];
  await post(relay.current, "beings", { action: "get", beingId: "x".repeat(256) });
  await post(
    relay.current,
    "beings",
    JSON.stringify({ action: "create", data: { name: "x".repeat(300_000) } }),
  ).catch(() => {});
  await post(relay.current, "beings", { action: "get", beingId: "nobody" });
  await expect
    .poll(async () => [await refusals("invalid"), await refusals("too_large"), await refusals("not_found")])
    .toEqual(before.map((count) => count + 1));
});
