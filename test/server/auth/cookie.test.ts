import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { useRelay } from "../../support/relay/relay.js";
import { as, SECRET, tokenOf, tokensBy } from "../../support/relay/token.js";

const HOME = "https://home.example";
const OTHER = "https://other.example";
const JSON_TYPE = { "Content-Type": "application/json" };
const db = useDatabase();
const relay = useRelay(db, {
  tokens: tokensBy({ AUTH_JWT_SECRET: SECRET, AUTH_COOKIE: "session" }),
  corsOrigins: [HOME],
});
const session = useSession(db);
let cookie: Record<string, string>;

beforeAll(async () => {
  await session.run("insert into public.beings (id, type) values ('hall', 'space')");
  cookie = { Cookie: `other=1; session=${await tokenOf("ada")}; more=2` };
});

const count = () => session.value("select count(*)::int from public.intentions");
const url = (path: string) => new URL(path, relay.current.url);
const write = (headers: Record<string, string>) =>
  fetch(url("/api/intentions"), { method: "POST", headers, body: '{"action":"create","spaceId":"hall"}' });

/** The status of a read, once and as either stream. */
async function reads(headers: Record<string, string>): Promise<number[]> {
  const statuses: number[] = [];
  for (const [path, accept] of [
    ["stream", "text/event-stream"],
    ["sync", "text/event-stream"],
    ["sync", "*/*"],
  ] as const) {
    const controller = new AbortController();
    const response = await fetch(url(`/api/${path}?spaceId=hall`), {
      headers: { Accept: accept, ...headers },
      signal: controller.signal,
    });
    statuses.push(response.status);
    controller.abort();
  }
  return statuses;
}

test("a page of the relay's own address writes and reads with the cookie", async () => {
  const own = { ...cookie, ...JSON_TYPE };
  const response = await write({ ...own, Origin: relay.current.url });
  expect([response.status, ((await response.json()) as { data: { ownerId: string } }).data.ownerId]).toEqual([
    200,
    "ada",
  ]);
  expect((await write({ ...own, "Sec-Fetch-Site": "same-origin" })).status).toBe(200);
  for (const site of ["same-origin", "none"])
    expect(await reads({ ...cookie, "Sec-Fetch-Site": site })).toEqual([200, 200, 200]);
  expect(await reads(cookie)).toEqual([200, 200, 200]);
});

test("so does a page of an origin that is named, and it is answered with credentials", async () => {
  const response = await write({ ...cookie, ...JSON_TYPE, Origin: HOME, "Sec-Fetch-Site": "cross-site" });
  expect(response.status).toBe(200);
  expect(response.headers.get("Access-Control-Allow-Origin")).toBe(HOME);
  expect(response.headers.get("Access-Control-Allow-Credentials")).toBe("true");
  expect(await reads({ ...cookie, Origin: HOME, "Sec-Fetch-Site": "cross-site" })).toEqual([200, 200, 200]);
});

test.each<[string, Record<string, string>]>([
  ["of another origin", { Origin: OTHER }],
  ["of another origin, that says it were the same", { Origin: OTHER, "Sec-Fetch-Site": "same-origin" }],
  ["of no origin (a sandbox)", { Origin: "null" }],
  ["that names no origin", {}],
  ["that names none, of another site", { "Sec-Fetch-Site": "cross-site" }],
  ["that names none, of a subdomain", { "Sec-Fetch-Site": "same-site" }],
  ["that names none, typed by the user", { "Sec-Fetch-Site": "none" }],
])("a page %s writes nothing with the cookie", async (_, headers) => {
  const before = await count();
  const response = await write({ ...cookie, ...JSON_TYPE, ...headers });
  expect([response.status, await response.json()]).toEqual([
    403,
    expect.objectContaining({ code: "forbidden" }),
  ]);
  expect(response.headers.get("Access-Control-Allow-Origin")).toBeNull();
  expect(await count()).toBe(before);
});

test.each<[string, Record<string, string>]>([
  ["of another origin", { Origin: OTHER, "Sec-Fetch-Site": "cross-site" }],
  ["of no origin (a sandbox)", { Origin: "null" }],
  ["that names none, of another site", { "Sec-Fetch-Site": "cross-site" }],
  ["that names none, of a subdomain", { "Sec-Fetch-Site": "same-site" }],
])("a page %s reads and follows nothing with the cookie", async (_, headers) => {
  expect(await reads({ ...cookie, ...headers })).toEqual([403, 403, 403]);
});

test.each([
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "text/json",
  "application/jsonp",
])("what a form could send writes nothing with the cookie, even from a page of ours: %s", async (type) => {
  const before = await count();
  const response = await write({ ...cookie, "Content-Type": type, Origin: relay.current.url });
  expect([response.status, await response.json()]).toEqual([
    400,
    expect.objectContaining({ code: "invalid" }),
  ]);
  expect(await count()).toBe(before);
});

test("a header beats the cookie, and needs no origin: no browser sends it by itself", async () => {
  const response = await write({ ...cookie, ...(await as("bob")) });
  expect([response.status, ((await response.json()) as { data: { ownerId: string } }).data.ownerId]).toEqual([
    200,
    "bob",
  ]);
  expect(await reads({ ...cookie, ...(await as("bob")), "Sec-Fetch-Site": "cross-site" })).toEqual([
    200, 200, 200,
  ]);
  expect((await write({ ...cookie, Authorization: "Bearer x" })).status).toBe(401);
});

test("a cookie that is no token, has expired, or has another name, is no token", async () => {
  for (const value of [
    "session=x",
    `session=${await tokenOf("ada", {}, -60)}`,
    `token=${await tokenOf("ada")}`,
    "session=",
  ]) {
    expect(await reads({ Cookie: value })).toEqual([401, 401, 401]);
  }
});
