import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { faults } from "../../support/relay/feed.js";
import { startTestRelay, useRelay } from "../../support/relay/relay.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db, { pruneDays: 0 });
const s = useSession(db);

const tombstones = (spaceId: string) =>
  s.value("select count(*)::int from sync.changes where space_id = $1 and deleted_at is not null", [spaceId]);
const typesOf = (events: { type: string }[]) => events.map(({ type }) => type);

/** A space in which so many messages were deleted 31 days ago (at the versions from 3 on), and one today. */
async function forgetful(spaceId: string, count: number): Promise<void> {
  await s.run(
    `insert into intentions (id, location_id) select '${spaceId} ' || n, '${spaceId}' from generate_series(0, ${count}) n`,
    `delete from intentions where location_id = '${spaceId}' and id <> '${spaceId} 0'`,
    `update sync.changes set deleted_at = now() - interval '31 days' where deleted_at is not null and space_id = '${spaceId}'`,
    `insert into intentions (id, location_id) values ('${spaceId} stays', '${spaceId}')`,
    `delete from intentions where id = '${spaceId} 0'`,
  );
}

test("a relay drops the deletions of 30 days ago by itself: who was away longer takes the space anew, nobody else notices", async () => {
  await forgetful("hall", 2_500); // more than one batch
  const live = await openStream(streamUrl(relay.current.url, "hall"));
  await live.until((events) => events.length === 1);
  expect(await tombstones("hall")).toBe(2_501);

  // Two of them, at the same time.
  const others = await Promise.all([startTestRelay(db), startTestRelay(db)]);
  await expect.poll(() => tombstones("hall")).toBe(1);
  await Promise.all(others.map((other) => other.close()));
  expect(await s.value("select floor::int from sync.spaces where space_id = 'hall'")).toBe(2);
  expect(await faults(s)).toEqual([]);

  const away = await openStream(streamUrl(relay.current.url, "hall", 1));
  const lately = await openStream(streamUrl(relay.current.url, "hall", 2));
  expect(typesOf(await away.until((events) => events.length === 1))).toEqual(["space-sync"]);
  expect(typesOf(await lately.until((events) => events.length === 2))).toEqual([
    "intention-created",
    "intention-deleted",
  ]);
  await s.run("insert into intentions (id, location_id) values ('hall next', 'hall')");
  expect(typesOf(await live.until((events) => events.length === 2))).toEqual([
    "space-sync",
    "intention-created",
  ]);
  for (const stream of [live, away, lately]) stream.close();
});

test("PRUNE_DAYS says how many days, and with 0 a relay drops nothing", async () => {
  await forgetful("yard", 3);
  for (const pruneDays of [0, 32]) {
    const other = await startTestRelay(db, { pruneDays });
    await other.close(); // ends what it has begun
    expect(await tombstones("yard")).toBe(4);
  }
  const other = await startTestRelay(db, { pruneDays: 31 });
  await expect.poll(() => tombstones("yard")).toBe(1);
  await other.close();
});
