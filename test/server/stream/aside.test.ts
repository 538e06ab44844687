import { get, type IncomingMessage } from "node:http";
import { beforeAll, expect, test } from "vitest";
import type { Relay } from "../../../src/server/relay.js";
import { useDatabase } from "../../support/postgres/database.js";
import { Session, useSession } from "../../support/postgres/session.js";
import { closing } from "../../support/relay/follow.js";
import { startTestRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl, type TestStream } from "../../support/relay/stream.js";
import { TcpProxy } from "../../support/relay/tcp-proxy.js";
import { as, SECRET, tokensBy } from "../../support/relay/token.js";

const NEVER_MS = 3_600_000;
const db = useDatabase();
const tokens = tokensBy({ AUTH_JWT_SECRET: SECRET });
const session = useSession(db);

beforeAll(async () => {
  // Of who is told to wait, the answer is held up for as long as somebody has the lock.
  await session.run(
    `create or replace function sync.authorize(claims jsonb, action text, space_id text, entity jsonb)
     returns boolean language plpgsql stable set search_path = '' as $$
     begin
       if claims ->> 'waits' is not null then perform pg_catalog.pg_advisory_xact_lock_shared(4712); end if;
       return true;
     end $$`,
    "insert into public.beings (id, type) values ('hall', 'space')",
  );
});

const say = (id: string) =>
  session.query("insert into public.intentions (id, location_id) values ($1, 'hall')", [id]);
const rename = (name: string) =>
  session.query("update public.beings set name = $1 where id = 'hall'", [name]);
const beats = (stream: TestStream) => stream.messages.filter(({ event }) => event === "heartbeat");
const opens = async (relay: Relay) =>
  (await relay.metrics.queries.get()).values.find(
    ({ labels, metricName }) => metricName?.endsWith("_count") && labels.query === "open",
  )?.value as number;

test("a reader with a token is asked about beings only, and is live again after it, however busy the space is", async (context) => {
  const relay = closing(context, await startTestRelay(db, { tokens, recheckMs: NEVER_MS }));
  const url = streamUrl(relay.url, "hall");
  const reader = closing(context, await openStream(url, await as("ada")));
  await reader.until((events) => events.length === 1);
  // What the newcomer gets is what it was just asked about.
  expect(await opens(relay)).toBe(1);
  const holder = await Session.open(db);
  const held = closing(context, await openStream(url, await as("bob", { waits: true })));
  await held.until((events) => events.length === 1);
  await holder.run("begin", "select pg_advisory_xact_lock(4712)");
  const before = await opens(relay);
  await rename("busy");
  const waits = "select count(*)::int from pg_catalog.pg_locks where locktype = 'advisory' and not granted";
  await expect.poll(() => session.value(waits)).toBe(1);
  // Meanwhile the space moves on, so that all the held one lacks comes from memory.
  for (let n = 0; n < 5; n++) await say(`meanwhile ${n}`);
  const witness = closing(context, await openStream(url, await as("eve")));
  await witness.until((events) => JSON.stringify(events).includes("meanwhile 4"));
  const asked = await opens(relay);
  await holder.run("commit");
  await held.until((events) => JSON.stringify(events).includes("meanwhile 4"));
  for (let n = 0; n < 5; n++) await say(`later ${n}`);
  for (const stream of [held, reader, witness])
    await stream.until((events) => JSON.stringify(events).includes("later 4"));
  expect(asked - before).toBeLessThanOrEqual(3);
  // The answer that was held up, and no more.
  expect((await opens(relay)) - asked).toBeLessThanOrEqual(1);
});

test("a reader that is held until the policy answers gets heartbeats, and is ended when the relay stops", async (context) => {
  const relay = closing(context, await startTestRelay(db, { tokens, recheckMs: NEVER_MS, heartbeatMs: 50 }));
  const held = closing(
    context,
    await openStream(streamUrl(relay.url, "hall"), await as("bob", { waits: true })),
  );
  await held.until((events) => events.length === 1);
  const holder = await Session.open(db);
  await holder.run("begin", "select pg_advisory_xact_lock(4712)");
  await rename("held");
  await expect.poll(() => beats(held).slice(1).at(-1)?.data).toMatch(/"version":null/);
  const { length } = beats(held);
  await expect.poll(() => beats(held).length).toBeGreaterThan(length + 2);
  expect(held.messages.filter(({ event }) => !event).length).toBe(1);
  const closed = relay.close();
  await held.ended;
  await holder.run("rollback");
  await closed;
});

test("P10: a slow reader without a token gets what is remembered, and heartbeats, while the database is away", {
  timeout: 60_000,
}, async (context) => {
  const { proxy, url } = await TcpProxy.before(db.url);
  context.onTestFinished(() => proxy.close());
  const relay = closing(context, await startTestRelay({ ...db, url }, { heartbeatMs: 50 }));
  const spaceId = await newSpace(relay);
  const address = streamUrl(relay.url, spaceId, 1);
  const witness = closing(context, await openStream(address));
  const slow = await new Promise<IncomingMessage>((resolve, reject) => {
    get(address, resolve).on("error", reject);
  });
  context.onTestFinished(() => void slow.destroy());
  const last = 40;
  for (let version = 2; version <= last; version++) {
    await session.query(
      "insert into public.intentions (location_id, content) values ($1, jsonb_build_array(repeat('x', $2)))",
      [spaceId, version === last ? 1 : 1_000_000],
    );
    await witness.until((events) => events.at(-1)?.version === version);
  }
  await proxy.close();
  let text = "";
  slow.setEncoding("utf8").on("data", (piece: string) => {
    text = (text + piece).slice(-500);
  });
  // It is behind what is remembered: what it lacks is to come, and meanwhile it hears that the line is alive.
  await expect.poll(() => text, { timeout: 20_000 }).toMatch(/(event: heartbeat\n.*\n\n){3}$/);
  await proxy.accept();
  await expect.poll(() => text, { timeout: 30_000 }).toMatch(new RegExp(`"version":${last}`));
});

test("the heartbeat of complete states names no version that its readers lack", async (context) => {
  const relay = closing(context, await startTestRelay(db, { heartbeatMs: 50 }));
  const states = new URL(`/api/sync?spaceId=hall&types=beings`, relay.url);
  const reader = closing(context, await openStream(states));
  const [{ version }] = (await reader.until((events) => events.length === 1)) as [{ version: number }];
  const witness = closing(context, await openStream(streamUrl(relay.url, "hall")));
  await witness.until((events) => events.length === 1);
  await say("not for it");
  await witness.until((events) => events.at(-1).version > version);
  const { length } = beats(reader);
  await expect.poll(() => beats(reader).length).toBeGreaterThan(length + 2);
  for (const { data } of beats(reader))
    expect([null, version]).toContain((JSON.parse(data) as { version: number | null }).version);
});
