import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { faults, recordAll } from "../support/relay/feed.js";
import { useRelay } from "../support/relay/relay.js";
import { Follower } from "./follower.js";

const ROOMS = 1_000;
const IN_EACH = 1_000;

const db = useDatabase();
const relay = useRelay(db);
const s = useSession(db);

beforeAll(async () => {
  await s.run(
    "create table readings (id bigint primary key, room text, value integer)",
    "select sync.track('readings', name => 'reading', space => 'room', columns => array['id', 'value'])",
    "insert into readings select n, 'room ' || n, 0 from generate_series(0, 4) n",
  );
});

/** How many spaces are at which version. */
const versions = () => s.query("select version::int, count(*)::int from sync.spaces group by 1 order by 1");

test("a million rows in one transaction are one version of each space, and who reads one takes it anew", {
  timeout: 600_000,
}, async (context) => {
  await s.run("select sync.record()");
  const reader = await Follower.of(context, relay.current.url, "room 3");
  await s.run(
    "begin",
    `insert into readings select n, 'room ' || n % ${ROOMS}, 1 from generate_series(5, ${ROOMS * IN_EACH - 1}) n`,
    "commit",
  );
  await recordAll(s);
  expect(await versions()).toEqual([
    { version: 1, count: ROOMS - 5 },
    { version: 2, count: 5 },
  ]);
  await expect.poll(() => reader.list("reading").length, { timeout: 60_000 }).toBe(IN_EACH);
  expect(reader.events.map(({ type, version }) => [type, version])).toEqual([
    ["space-sync", 1],
    ["space-sync", 2],
  ]);
  expect(await faults(s)).toEqual([]);
});
