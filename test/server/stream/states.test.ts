import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { Session, useSession } from "../../support/postgres/session.js";
import { closing } from "../../support/relay/follow.js";
import { useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db);
const session = useSession(db);

const statesOf = (spaceId: string, query: string) =>
  openStream(`${relay.current.url}/api/sync?spaceId=${spaceId}&${query}`);

test("a newcomer gets no state that is older than the space was when it came", async (context) => {
  const spaceId = await newSpace(relay.current);
  const first = closing(context, await statesOf(spaceId, "types=beings"));
  await first.until((states) => states.length === 1);
  await session.query("insert into public.intentions (location_id) values ($1)", [spaceId]);
  const second = closing(context, await statesOf(spaceId, "types=beings"));
  expect(await second.until((states) => states.length === 1)).toMatchObject([{ version: 2 }]);
  await session.query("update public.beings set name = 'seen' where id = $1", [spaceId]);
  const versions = async (stream: typeof first) =>
    (await stream.until((states) => states.at(-1).version === 3)).map(({ version }) => version);
  // Nothing is new for the first one with what the second one has read.
  expect([await versions(first), await versions(second)]).toEqual([
    [1, 3],
    [2, 3],
  ]);
});

test("complete states of many limits, all slow to read, leave connections to everybody else", async (context) => {
  const [slow, quick] = [await newSpace(relay.current), await newSpace(relay.current)];
  await session.run(
    `create or replace function sync.being_json(being public.beings)
     returns json language plpgsql stable set search_path = '' set lock_timeout = 0 as $$
     begin
       if being.location_id = '${slow}' then perform pg_catalog.pg_advisory_xact_lock_shared(4713); end if;
       return json_build_object('id', being.id);
     end $$`,
  );
  const holder = await Session.open(db);
  await holder.run("begin", "select pg_advisory_xact_lock(4713)");
  const reading = () =>
    session.value(
      `select count(*)::int from pg_catalog.pg_stat_activity
       where datname = current_database() and query like '%sync.state(%' and state = 'active' and pid <> pg_backend_pid()`,
    );
  const streams = [];
  for (let limit = 1; limit <= 20; limit++)
    streams.push(closing(context, await statesOf(slow, `limit=${limit}`)));
  await expect.poll(reading).toBeGreaterThan(0);
  for (let n = 0; n < 5; n++) {
    const stream = await statesOf(quick, `limit=${n}`);
    expect(stream.response.status).toBe(200);
    stream.close();
    expect(await reading()).toBeLessThanOrEqual(3);
  }
  await holder.run("commit");
  for (const stream of streams) await stream.until((states) => states.length === 1);
});

test("readers of states end when there is no state to be had", async (context) => {
  const spaceId = await newSpace(relay.current);
  await session.run(
    `create or replace function sync.snapshot(space_id text, message_limit integer default 100, types text[] default null)
     returns table (
       version bigint, cursor text, beings json, intentions json, entities json, last_message_id text, has_more boolean
     ) language plpgsql volatile security definer set search_path = '' as $$ begin return; end $$`,
  );
  await closing(context, await statesOf(spaceId, "limit=7")).ended;
});
