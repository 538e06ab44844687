import { expect, type TestContext, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { eventually, follow } from "../support/relay/follow.js";
import { useRelay } from "../support/relay/relay.js";
import { decideBy, SECRET, tokenOf, tokensBy } from "../support/relay/token.js";

const db = useDatabase();
const relay = useRelay(db, { tokens: tokensBy({ AUTH_JWT_SECRET: SECRET }), recheckMs: 100 });
/** As many seconds as clocks may differ by: a token that has so few more has them left. */
const TOLERANCE_S = 5;
const session = useSession(db);
let made = 0;

const decide = (sql: string) => decideBy(session, sql);

/** A client in a space of its own, and the tokens that it has asked for. */
async function begin(context: TestContext, next: (n: number) => Promise<string>) {
  const spaceId = `tokens-${++made}`;
  await session.query("insert into public.beings (id, type) values ($1, 'space')", [spaceId]);
  const asked: string[] = [];
  const headers = async () => {
    const token = await next(asked.length);
    asked.push(token);
    return { Authorization: `Bearer ${token}` };
  };
  const client = follow(context, { url: relay.current.url, spaceId, headers });
  return { client, spaceId, asked };
}

const streamsExpired = async () =>
  (await relay.current.metrics.refusals.get()).values.find(({ labels }) => labels.reason === "stream_expired")
    ?.value ?? 0;
const refused = async () =>
  (await relay.current.metrics.refusals.get()).values.find(({ labels }) => labels.reason === "unauthorized")
    ?.value ?? 0;

test("P3: a client whose tokens live for a second goes on with new ones, and misses nothing", async (context) => {
  const { client, spaceId, asked } = await begin(context, () => tokenOf("ada", {}, 1 - TOLERANCE_S));
  const before = await streamsExpired();
  let said = 0;
  await eventually(async () => {
    await session.query("insert into public.intentions (location_id) values ($1)", [spaceId]);
    said++;
    expect(await streamsExpired()).toBeGreaterThan(before + 1);
  });
  await eventually(() => expect(client.getSnapshot().intentions.length).toBe(said));
  await eventually(() =>
    expect(client.getSnapshot()).toMatchObject({ mode: "realtime", error: null, fault: null }),
  );
  // No hot loop: each stream has cost some requests, and not hundreds.
  expect(asked.length).toBeLessThan(((await streamsExpired()) - before) * 10 + 10);
});

test("a change that meets an expired token waits, and is stored with the next one", async (context) => {
  let isGood = true;
  const { client, spaceId } = await begin(context, () => tokenOf("ada", {}, isGood ? 600 : -60));
  await eventually(() => expect(client.getSnapshot().mode).toBe("realtime"));
  isGood = false;
  const before = await refused();
  const stored = client.createIntention({ id: `waits ${spaceId}` });
  const updated = client.updateIntention(`waits ${spaceId}`, { name: "again" });
  await eventually(async () => expect(await refused()).toBeGreaterThan(before + 1));
  expect(client.getSnapshot()).toMatchObject({ pendingIds: new Set([`waits ${spaceId}`]) });
  isGood = true;
  expect(await stored).toMatchObject({ ownerId: "ada" });
  expect(await updated).toMatchObject({ name: "again" });
  expect(await session.value("select name from public.intentions where location_id = $1", [spaceId])).toBe(
    "again",
  );
});

test("a token that stays refused is said in fault, and the change still waits", async (context) => {
  let isGood = true;
  const { client, asked } = await begin(context, () => tokenOf("ada", {}, isGood ? 600 : -60));
  await eventually(() => expect(client.getSnapshot().mode).toBe("realtime"));
  isGood = false;
  const stored = client.createIntention({ name: "x" });
  await eventually(() => expect(client.getSnapshot().fault?.message).toMatch(/token has expired/));
  expect(client.getSnapshot().pendingIds.size).toBe(1);
  expect(asked.length).toBeLessThan(20);
  isGood = true;
  await stored;
});

test("without a valid token from the start a client says so, and begins when it gets one", async (context) => {
  let isGood = false;
  const { client } = await begin(context, () => tokenOf("ada", {}, isGood ? 600 : -60));
  const fault = { code: "unauthorized", message: expect.stringMatching(/token has expired/) };
  await eventually(() => expect(client.getSnapshot()).toMatchObject({ mode: "opening", data: null, fault }));
  isGood = true;
  await eventually(() =>
    expect(client.getSnapshot()).toMatchObject({ mode: "realtime", error: null, fault: null }),
  );
});

test("a token that cannot be had is as if the relay were away: nothing is lost", async (context) => {
  let isThere = false;
  const { client } = await begin(context, async () => {
    if (!isThere) throw new Error("the login has gone");
    return tokenOf("ada");
  });
  const stored = client.createIntention({ name: "x" });
  await eventually(() => expect(client.getSnapshot().fault?.message).toMatch(/the login has gone/));
  isThere = true;
  await stored;
  await eventually(() =>
    expect(client.getSnapshot()).toMatchObject({ mode: "realtime", error: null, fault: null }),
  );
});

test("what the policy forbids is refused at once, and taken back", async (context) => {
  const { client } = await begin(context, () => tokenOf("ada"));
  await eventually(() => expect(client.getSnapshot().mode).toBe("realtime"));
  await decide("select authorize.action = 'read'");
  try {
    await expect(client.createIntention({ name: "x" })).rejects.toMatchObject({ code: "forbidden" });
    expect(client.getSnapshot()).toMatchObject({
      intentions: [],
      error: { code: "forbidden", message: expect.stringMatching(/not allowed/) },
    });
  } finally {
    await decide("select true");
  }
});

test("a client whose stream the policy ends says why, asks seldom, and goes on when it may again", async (context) => {
  const { client, spaceId, asked } = await begin(context, () => tokenOf("ada"));
  await eventually(() => expect(client.getSnapshot().mode).toBe("realtime"));
  await decide("select false");
  try {
    await eventually(() => expect(client.getSnapshot().fault?.message).toMatch(/not allowed: read/));
    expect(asked.length).toBeLessThan(20);
  } finally {
    await decide("select true");
  }
  await session.query("insert into public.intentions (location_id) values ($1)", [spaceId]);
  await eventually(() => {
    expect(client.getSnapshot()).toMatchObject({ mode: "realtime", error: null, fault: null });
    expect(client.getSnapshot().intentions.length).toBe(1);
  });
});
