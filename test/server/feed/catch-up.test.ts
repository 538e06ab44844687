import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { Session } from "../../support/postgres/session.js";
import { useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db);

test("a query that takes long for one space holds up no other, and is answered in the end", async () => {
  const [writer, holder] = [await Session.open(db), await Session.open(db)];
  const [slow, quick] = [await newSpace(relay.current), await newSpace(relay.current)];
  await writer.run(
    `create or replace function sync.intention_json(intention public.intentions)
     returns json language plpgsql stable set search_path = '' set lock_timeout = 0 as $$
     begin
       if intention.location_id = '${slow}' then perform pg_advisory_xact_lock_shared(4711); end if;
       return json_build_object('id', intention.id, 'name', intention.name);
     end $$`,
  );
  const say = (spaceId: string, name: string) =>
    writer.query("insert into public.intentions (location_id, name) values ($1, $2)", [spaceId, name]);
  const open = async (spaceId: string) => {
    const stream = await openStream(streamUrl(relay.current.url, spaceId));
    await stream.until((events) => events.length === 1);
    return stream;
  };
  const [held, free] = [await open(slow), await open(quick)];
  await holder.run("begin", "select pg_advisory_xact_lock(4711)");
  await say(slow, "1");
  await expect
    .poll(() => writer.value("select count(*)::int from pg_catalog.pg_locks where not granted"))
    .toBe(1);
  for (let n = 1; n <= 10; n++) {
    await say(quick, `${n}`);
    await free.until((events) => events.length === n + 1, 4_000);
  }
  await say(slow, "2");
  await holder.run("commit");
  const [, ...events] = await held.until((all) => all.at(-1)?.data?.name === "2");
  expect(events.map((event) => event.data.name)).toEqual(["1", "2"]);
  expect(events.at(-1).version).toBe(3);
  for (const stream of [held, free]) stream.close();
});
