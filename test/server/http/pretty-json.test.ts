import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { Session } from "../../support/postgres/session.js";
import { useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db);

test("JSON that a DBA's function breaks into lines arrives as it is, each event by itself", async () => {
  const session = await Session.open(db);
  await session.run(
    `create or replace function sync.being_json(being public.beings) returns json
     language sql stable set search_path = pg_catalog, pg_temp
     as $$ select json(jsonb_pretty(jsonb_build_object('id', being.id, 'name', being.name))) $$`,
  );
  const spaceId = await newSpace(relay.current);
  const stream = await openStream(streamUrl(relay.current.url, spaceId));
  await stream.until((events) => events.length === 1);
  const names = ["a\nb", "\u001e", '\\"{},'];
  await session.query("insert into beings (name, location_id) select unnest($1::text[]), $2", [
    names,
    spaceId,
  ]);
  const events = await stream.until((events) => events.length === 1 + names.length);
  const told = events.slice(1).map(({ type, data }) => ({ type, name: data.name }));
  expect(told.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name))).toEqual(
    names.map((name) => ({ type: "being-created", name })),
  );
});
