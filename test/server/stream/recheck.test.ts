import { beforeAll, beforeEach, expect, type TestContext, test } from "vitest";
import type { Config } from "../../../src/server/config.js";
import type { Relay } from "../../../src/server/relay.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { closing } from "../../support/relay/follow.js";
import { startTestRelay } from "../../support/relay/relay.js";
import { openStream, type TestStream } from "../../support/relay/stream.js";
import { as, decideBy, SECRET, tokensBy } from "../../support/relay/token.js";

const NEVER_MS = 3_600_000;
const db = useDatabase();
const tokens = tokensBy({ AUTH_JWT_SECRET: SECRET });
const session = useSession(db);

beforeAll(async () => {
  await session.run("create table public.banned (being_id text)");
});

const decide = (sql: string) => decideBy(session, sql);
const MEMBERS = `select exists (
  select from public.beings b
  where b.location_id = authorize.space_id and b.owner_id = authorize.claims ->> 'being')`;

beforeEach(async () => {
  await decide(MEMBERS);
  await session.run(
    "truncate public.beings, public.intentions, public.banned",
    `insert into public.beings (id, type, owner_id, location_id) values
       ('hall', 'space', null, 'hall'), ('ada', 'guest', 'ada', 'hall'), ('bob', 'guest', 'bob', 'hall')`,
  );
});

async function relayWith(context: TestContext, settings: Partial<Config> = {}): Promise<Relay> {
  return closing(context, await startTestRelay(db, { tokens, recheckMs: NEVER_MS, ...settings }));
}

/** A stream that has brought its first event. */
async function read(
  context: TestContext,
  relay: Relay,
  headers: Record<string, string>,
  path = "stream",
): Promise<TestStream> {
  const stream = closing(context, await openStream(`${relay.url}/api/${path}?spaceId=hall`, headers));
  expect(stream.response.status).toBe(200);
  await stream.until((events) => events.length === 1);
  return stream;
}

const statusOf = async (relay: Relay, who: string) =>
  (await fetch(`${relay.url}/api/sync?spaceId=hall`, { headers: await as(who) })).status;
const say = (id: string) =>
  session.query("insert into public.intentions (id, location_id) values ($1, 'hall')", [id]);
/** All that a stream has brought, as text. */
const told = (stream: TestStream) => JSON.stringify(stream.messages);

test.for(["stream", "sync"])("a %s ends when its token expires, and not before", async (path, context) => {
  const relay = await relayWith(context);
  // With what clocks may differ by, four seconds are left.
  const short = await read(context, relay, await as("ada", {}, -1), path);
  const long = await read(context, relay, await as("ada"), path);
  await say("before");
  await short.until((events) => JSON.stringify(events.at(-1)).includes("before"));
  await short.ended;
  await say("after");
  await long.until((events) => JSON.stringify(events.at(-1)).includes("after"));
  expect(told(short)).not.toContain("after");
  expect(await relay.metrics.registry.metrics()).toContain(
    'spacefeed_refusals_total{reason="stream_expired"} 1',
  );
});

test.for(["stream", "sync"])(
  "a %s ends when the policy has changed its mind, at the next look",
  async (path, context) => {
    await decide(
      "select not exists (select from public.banned b where b.being_id = authorize.claims ->> 'being')",
    );
    const relay = await relayWith(context, { recheckMs: 100 });
    const [ada, bob] = [
      await read(context, relay, await as("ada"), path),
      await read(context, relay, await as("bob"), path),
    ];
    await session.run("insert into public.banned values ('bob')");
    await bob.ended;
    await say("after");
    await ada.until((events) => JSON.stringify(events.at(-1)).includes("after"));
    expect(told(bob)).not.toContain("after");
    expect([await statusOf(relay, "ada"), await statusOf(relay, "bob")]).toEqual([200, 403]);
  },
);

test.for(["stream", "sync"])("an error in the policy ends a %s: it is no yes", async (path, context) => {
  const relay = await relayWith(context, { recheckMs: 100 });
  const ada = await read(context, relay, await as("ada"), path);
  await decide("select 1 / (case when authorize.action = 'never' then 1 else 0 end) = 1");
  await ada.ended;
});

test("one question asks about all streams that are due", async (context) => {
  const relay = await relayWith(context, { recheckMs: 200 });
  const streams: TestStream[] = [];
  for (let n = 0; n < 20; n++)
    streams.push(await read(context, relay, await as(n % 2 ? "ada" : "bob", { n })));
  const asked = async () =>
    (await relay.metrics.queries.get()).values.find(
      ({ labels, metricName }) => metricName?.endsWith("_count") && labels.query === "open",
    )?.value as number;
  const before = await asked();
  await expect.poll(asked, { timeout: 10_000 }).toBeGreaterThan(before + 1);
  await decide("select false");
  await Promise.all(streams.map((stream) => stream.ended));
  // Each round is one query, and not twenty.
  expect((await asked()) - before).toBeLessThan(20);
});

test.for([
  ["deleted", "delete from public.beings where id = 'bob'"],
  ["moved away", "update public.beings set location_id = 'elsewhere' where id = 'bob'"],
  ["given to somebody else", "update public.beings set owner_id = 'eve' where id = 'bob'"],
  [
    "truncated",
    "truncate public.beings; insert into public.beings (id, owner_id, location_id) values ('ada', 'ada', 'hall')",
  ],
])("who is no member any more gets nothing of that moment, or later: %s", async ([, change], context) => {
  const relay = await relayWith(context);
  for (const path of ["stream", "sync"]) {
    const ada = await read(context, relay, await as("ada"), path);
    const bob = await read(context, relay, await as("bob"), path);
    await session.query(
      `begin; ${change}; insert into public.intentions (id, location_id) values ('with it ${path}', 'hall'); commit`,
    );
    await say(`later ${path}`);
    await ada.until((events) => JSON.stringify(events.at(-1)).includes(`later ${path}`));
    await bob.ended;
    for (const text of ["with it", "later"]) expect(told(bob)).not.toContain(`${text} ${path}`);
    expect(told(ada)).toContain(`with it ${path}`);
    expect(await statusOf(relay, "bob")).toBe(403);
    await session.run(
      "delete from public.beings where id = 'bob'",
      "insert into public.beings (id, owner_id, location_id) values ('bob', 'bob', 'hall')",
    );
  }
});

test("P3: who stays a member misses nothing, however often beings change meanwhile", async (context) => {
  const relay = await relayWith(context);
  const ada = await read(context, relay, await as("ada"));
  const total = 60;
  for (let n = 1; n <= total; n++) {
    await session.query("update public.beings set name = $1 where id = 'bob'", [`bob ${n}`]);
    if (n % 3 === 0) await say(`m${n}`);
  }
  const events = await ada.until((all) => JSON.stringify(all).includes(`"m${total}"`));
  const groups = events.slice(1).filter((event) => event.cursor);
  let version = events[0].version;
  for (const { prev, version: reached } of groups) {
    expect(prev).toBe(version);
    version = reached;
  }
  const messages = events
    .filter(({ type }) => type === "intention-created")
    .map(({ messageId }) => messageId);
  expect(new Set(messages).size).toBe(total / 3); // some twice: with the version before, and with their own
});

test("a reader who was away is asked again before it catches up", async (context) => {
  const relay = await relayWith(context);
  const ada = await read(context, relay, await as("ada"));
  const { cursor } = (await ada.until((events) => events.length === 1))[0];
  ada.close();
  await session.run("delete from public.beings where id = 'ada'");
  const again = await fetch(`${relay.url}/api/stream?spaceId=hall&since=${cursor}`, {
    headers: await as("ada"),
  });
  expect([again.status, await again.json()]).toEqual([403, expect.objectContaining({ code: "forbidden" })]);
});
