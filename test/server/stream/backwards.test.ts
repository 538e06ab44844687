import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { Session } from "../../support/postgres/session.js";
import { closing } from "../../support/relay/follow.js";
import { useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db);

test("P11: readers of versions that the database has lost in a crash start over, with one snapshot", async (context) => {
  const session = await Session.open(db);
  const spaceId = await newSpace(relay.current);
  const say = (name: string) =>
    session.query("insert into public.intentions (location_id, name) values ($1, $2)", [spaceId, name]);
  const open = async (since?: number) =>
    closing(context, await openStream(streamUrl(relay.current.url, spaceId, since)));
  const snapshots = async () => (await relay.current.metrics.snapshots.get()).values[0]?.value ?? 0;
  const names = (events: { intentions: { name: string }[] }[]) =>
    events.at(-1)?.intentions.map(({ name }) => name);
  const reader = await open();
  await reader.until((events) => events.length === 1);
  for (const name of ["kept", "lost 1", "lost 2", "lost 3"]) await say(name);
  await reader.until((events) => events.at(-1).version === 5);
  const before = await snapshots();

  await session.run(
    "begin",
    "set local session_replication_role = replica", // past the triggers
    `delete from public.intentions where location_id = '${spaceId}' and name like 'lost %'`,
    `delete from sync.changes where space_id = '${spaceId}' and version > 2`,
    `update sync.spaces set version = 2 where space_id = '${spaceId}'`,
    "commit",
  );
  await say("other 1");
  const again = await reader.until((events) => events.at(-1).version === 3);
  expect(names(again)).toEqual(["kept", "other 1"]);
  expect((await snapshots()) - before).toBe(1);
  // What the relay remembers is of the new history, too.
  await say("other 2");
  expect((await reader.until((events) => events.at(-1).version === 4)).at(-1)).toMatchObject({ prev: 3 });
  expect((await (await open(3)).until((events) => events.length === 1))[0].data.name).toBe("other 2");
  expect(names(await (await open()).until((events) => events.length === 1))).toEqual([
    "kept",
    "other 1",
    "other 2",
  ]);
});
