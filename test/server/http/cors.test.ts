import { expect, test } from "vitest";
import type { Relay } from "../../../src/server/relay.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";

const HOME = "https://home.example";
const OTHER = "https://other.example";
const db = useDatabase();
const closed = useRelay(db);
const named = useRelay(db, { corsOrigins: [HOME, "http://localhost:3000"] });
const open = useRelay(db, { corsOrigins: ["*"] });

const allowed = (response: Response) => response.headers.get("access-control-allow-origin");

function create(relay: Relay, origin: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${relay.url}/api/beings`, {
    method: "POST",
    headers: { Origin: origin, "Content-Type": "application/json", ...headers },
    body: '{"action":"create","data":{"name":"n"}}',
  });
}

function preflight(relay: Relay, origin: string): Promise<Response> {
  return fetch(`${relay.url}/api/beings`, {
    method: "OPTIONS",
    headers: {
      Origin: origin,
      "Access-Control-Request-Method": "POST",
      "Access-Control-Request-Headers": "content-type",
    },
  });
}

/** The head of an answer that may be a stream. */
async function head(url: string, origin: string, headers: Record<string, string> = {}): Promise<Response> {
  const controller = new AbortController();
  const response = await fetch(url, { headers: { Origin: origin, ...headers }, signal: controller.signal });
  controller.abort();
  return response;
}

test("no page of another site is let in unless CORS_ORIGINS names it", async () => {
  const spaceId = await newSpace(closed.current);
  expect(allowed(await preflight(closed.current, HOME))).toBeNull();
  for (const path of ["stream", "sync"]) {
    expect(allowed(await head(`${closed.current.url}/api/${path}?spaceId=${spaceId}`, HOME))).toBeNull();
  }
});

test.each([HOME, "null", "nonsense", "http://127.0.0.1:1"])(
  "a POST with the Origin of another site is 403, and stores nothing: %s",
  async (origin) => {
    const client = await db.connect();
    const count = async () => (await client.query("select count(*) from public.beings")).rows[0];
    const before = await count();
    const response = await create(closed.current, origin);
    expect(response.status).toBe(403);
    expect(await response.json()).toEqual({
      success: false,
      code: "forbidden",
      error: expect.stringContaining("CORS_ORIGINS"),
    });
    // What a page can send without a preflight.
    expect((await create(closed.current, origin, { "Content-Type": "text/plain" })).status).toBe(403);
    expect(await count()).toEqual(before);
  },
);

test("a POST of a page that the relay's own address has served works", async () => {
  expect((await create(closed.current, closed.current.url)).status).toBe(200);
});

test("a named origin is let in: preflight, writing, reading, streams and refusals", async () => {
  const relay = named.current;
  const answer = await preflight(relay, HOME);
  expect(answer.status).toBe(204);
  expect(allowed(answer)).toBe(HOME);
  expect(answer.headers.get("access-control-allow-methods")).toMatch(/POST/);
  expect(answer.headers.get("access-control-allow-headers")).toMatch(/content-type/i);
  const created = await create(relay, HOME);
  expect([created.status, allowed(created)]).toEqual([200, HOME]);

  const spaceId = await newSpace(relay);
  const sse = { Accept: "text/event-stream" };
  for (const [path, headers] of [
    ["stream", sse],
    ["sync", sse],
    ["sync", {}],
  ] as [string, Record<string, string>][]) {
    const response = await head(`${relay.url}/api/${path}?spaceId=${spaceId}`, HOME, headers);
    expect([response.status, allowed(response)]).toEqual([200, HOME]);
    const refusal = await head(`${relay.url}/api/${path}?spaceId=nowhere`, HOME, headers);
    expect([refusal.status, allowed(refusal)]).toEqual([404, HOME]);
  }
  const sync = await head(`${relay.url}/api/sync?spaceId=${spaceId}`, HOME);
  expect(sync.headers.get("vary")).toMatch(/\borigin\b/i);
  expect(sync.headers.get("access-control-expose-headers")).toMatch(/etag/i);
});

test("every origin that is named is let in, and no other", async () => {
  expect(allowed(await preflight(named.current, "http://localhost:3000"))).toBe("http://localhost:3000");
  expect(allowed(await preflight(named.current, OTHER))).toBeNull();
  const refused = await create(named.current, OTHER);
  expect([refused.status, allowed(refused)]).toEqual([403, null]);
});

test("* lets every page in", async () => {
  const spaceId = await newSpace(open.current);
  for (const origin of [HOME, OTHER, "null"]) {
    expect(allowed(await preflight(open.current, origin))).toBe("*");
    const created = await create(open.current, origin);
    expect([created.status, allowed(created)]).toEqual([200, "*"]);
    expect(allowed(await head(`${open.current.url}/api/stream?spaceId=${spaceId}`, origin))).toBe("*");
  }
});
