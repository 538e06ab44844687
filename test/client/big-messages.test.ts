import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { followed } from "../support/relay/follow.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

// A page has 64 MiB at most: here 100,000 bytes.
beforeAll(async () => {
  await session.run(
    "create or replace function sync._most_bytes() returns integer language sql immutable set search_path = '' as 'select 100000'",
  );
});

test("P3: pages of big messages have fewer, and none is missing in the end", async (context) => {
  const spaceId = await newSpace(relay.current);
  const say = (n: number) =>
    session.query(
      "insert into intentions (location_id, name, content) values ($1, $2, jsonb_build_array(repeat('x', 40000)))",
      [spaceId, String(n)],
    );
  for (let n = 1; n <= 5; n++) await say(n);
  const client = await followed(context, { url: relay.current.url, spaceId });
  const names = () => client.getSnapshot().intentions.map(({ name }) => name);
  expect([names(), client.getSnapshot().hasMore]).toEqual([["4", "5"], true]);
  expect(await client.loadOlder()).toBe(true);
  expect(names()).toEqual(["2", "3", "4", "5"]);
  expect(await client.loadOlder()).toBe(false);
  expect(names()).toEqual(["1", "2", "3", "4", "5"]);
  await say(6);
  await expect.poll(names).toEqual(["1", "2", "3", "4", "5", "6"]);
});
