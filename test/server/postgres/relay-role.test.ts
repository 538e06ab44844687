import { afterAll, beforeAll, expect, test } from "vitest";
import type { Relay } from "../../../src/server/relay.js";
import { useDatabase } from "../../support/postgres/database.js";
import { urlAs } from "../../support/postgres/roles.js";
import { useSession } from "../../support/postgres/session.js";
import { expectEqual, followed } from "../../support/relay/follow.js";
import { post, startTestRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

// A relay whose login is a member of spacefeed_relay and nothing else, in a database with private columns.

const db = useDatabase();
const session = useSession(db);
let relay: Relay;
let login: string;

beforeAll(async () => {
  login = `spacefeed_login_${session.pid}`;
  await session.run(
    `create role ${login} login password 'x' in role spacefeed_relay`,
    "alter table public.beings add column secret text not null default 'TOP SECRET'",
    "alter table public.intentions add column secret text not null default 'TOP SECRET'",
  );
  relay = await startTestRelay({ ...db, url: urlAs(db.url, login) });
});
afterAll(async () => {
  await relay?.close();
  await session.run(`drop role ${login}`);
});

const NOUNS = [
  { path: "beings", key: "beingId" },
  { path: "intentions", key: "intentionId" },
] as const;

test.each(NOUNS)("P9: every action on $path works, and tells nothing private", async ({ path, key }) => {
  const spaceId = await newSpace(relay);
  const id = `${path} of ${spaceId}`;
  const create = { action: "create", [key]: id, spaceId, data: { name: "n", ownerId: "o", content: [1] } };
  const answers = [
    await post(relay, path, create),
    await post(relay, path, create),
    await post(relay, path, { action: "update", [key]: id, spaceId, data: { name: "m" } }),
    await post(relay, path, { action: "get", [key]: id }),
    await post(relay, path, { action: "list", spaceId, limit: 5 }),
    await post(relay, path, { action: "delete", [key]: id, spaceId }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
  const [created, retried, updated, got, list, deleted] = answers.map(({ body }) => body.data);
  expect(created).toMatchObject({ id, name: "n", ownerId: "o", locationId: spaceId, content: [1] });
  expect(retried).toEqual(created);
  expect(updated).toMatchObject({ id, name: "m" });
  expect([got, list.find((one: { id: string }) => one.id === id), deleted]).toEqual([
    updated,
    updated,
    updated,
  ]);
  expect((await post(relay, path, { action: "get", [key]: id })).status).toBe(404);
  expect((await post(relay, path, { action: "delete", [key]: id })).status).toBe(404);
  expect(JSON.stringify(answers)).not.toMatch(/secret/i);
});

test("streams, states, readiness and metrics work", async () => {
  const spaceId = await newSpace(relay);
  const streams = [
    await openStream(streamUrl(relay.url, spaceId)),
    await openStream(`${relay.url}/api/sync?spaceId=${spaceId}`),
  ];
  for (const stream of streams) await stream.until((events) => events.length === 1);
  await session.query("insert into public.intentions (id, location_id) values ('by sql', $1)", [spaceId]);
  for (const stream of streams) {
    await stream.until((events) => JSON.stringify(events).includes("by sql"));
    expect(JSON.stringify(stream.messages)).not.toMatch(/secret/i);
    stream.close();
  }
  expect((await fetch(`${relay.url}/readyz`)).status).toBe(200);
  expect((await fetch(`${relay.url}/metrics`)).status).toBe(200);
  expect(await session.value("select relays::int from sync.status")).toBe(1);
});

test("P3: a client of it ends equal to the database", async (context) => {
  const spaceId = await newSpace(relay);
  const client = await followed(context, { url: relay.url, spaceId });
  const { id } = await client.createIntention({ name: "one" });
  await client.updateIntention(id, { name: "two" });
  await client.createBeing({ name: "guest" });
  await session.query("insert into public.intentions (location_id) values ($1)", [spaceId]);
  await expectEqual(client, relay.url);
});
