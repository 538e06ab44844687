import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { recordOf, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);

beforeAll(async () => {
  await s.run(
    `insert into beings (id, type, location_id, metadata, content)
     values ('being', 'guest', 'quiet', '{"n": 1.0}', '[1]')`,
    "insert into intentions (id, location_id, content) values ('message', 'quiet', '[1.0]')",
  );
});

test.each([
  "update intentions set content = content",
  "update intentions set id = id, state = 'complete', location_id = 'quiet', created_at = created_at",
  "update intentions set content = '[1.0]'",
  "update intentions set message_id = 'msg_77'",
  "update intentions set state = 'failed' where false",
  "delete from intentions where false",
  "update beings set metadata = metadata, name = name",
  "insert into beings (id, location_id) values ('being', 'quiet') on conflict do nothing",
  "insert into beings (id, location_id) values ('being', 'quiet') on conflict (id) do update set location_id = excluded.location_id",
  "insert into intentions (id, location_id) values ('message', 'quiet') on conflict (id) do update set location_id = excluded.location_id",
  "insert into intentions (id, location_id) select id, 'x' from intentions where false",
])("P1: %s changes nothing, and raises no version", async (statement) => {
  const before = await s.value("select array_agg(modified_at::text) from (table beings) b");
  await s.run(statement);
  expect(await versionOf(s, "quiet")).toBe(2);
  expect(await s.value("select array_agg(modified_at::text) from (table beings) b")).toEqual(before);
  expect(await s.value("select count(*)::int from sync.spaces")).toBe(1);
});

test.each([
  ["update intentions set content = '[1.00]'", "intention message 2..3"],
  [`update beings set metadata = '{"n": 1.00}'`, "being being 1..3"],
  ["update intentions set created_at = created_at + interval '1 microsecond'", "intention message 2..3"],
  ["update intentions set name = 'n'; update intentions set name = ''", "intention message 2..3"],
])("P3: %s is a change", async (statement, line) => {
  await s.undone(async () => {
    await s.run(statement, "set constraints all immediate");
    expect(await recordOf(s, "quiet")).toContain(line);
  });
});

test("P1: an update that changes nothing raises no version where the table has a generated column", async () => {
  await s.undone(async () => {
    await s.run(
      "alter table intentions add column words integer generated always as (jsonb_array_length(content)) stored",
      "update intentions set content = content",
      "set constraints all immediate",
    );
    expect(await versionOf(s, "quiet")).toBe(2);
  });
});
