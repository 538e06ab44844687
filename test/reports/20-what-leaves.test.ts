import { beforeAll, beforeEach, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { eventsSince, inShort, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);
let version: number;

beforeAll(async () => {
  await s.run(
    "alter table beings add column secret text",
    "alter table intentions add column secret text, add column mood text",
    "insert into beings (id, location_id) select 'b' || n, 'hall' from generate_series(1, 3) n",
    "insert into intentions (id, location_id) select 'm' || n, 'hall' from generate_series(1, 200) n",
  );
});
beforeEach(async () => {
  version = await versionOf(s, "hall");
});

const since = async () => inShort(await eventsSince(s, "hall", version));

test.each([
  "update intentions set secret = md5(id)",
  "update intentions set secret = 'one' where id = 'm1'",
  "update beings set secret = md5(id)",
  "update beings set secret = 'one' where id = 'b1'",
  "insert into beings (id, location_id) values ('b1', 'hall') on conflict (id) do update set secret = 'again'",
  "update intentions set content = content, secret = 'x' where id in ('m1', 'm2')",
])(
  "20: who changes only columns that do not leave raises no version, and wakes nobody: %s",
  async (statement) => {
    const stamps = "select md5(string_agg(modified_at::text, ' ' order by id)) from intentions";
    const before = await s.value(stamps);
    await s.run(statement);
    expect([await versionOf(s, "hall"), await since()]).toEqual([version, []]);
    expect(await s.value(stamps)).toBe(before);
  },
);

test("20: of a statement that changes both, only the rows are sent of which something leaves", async () => {
  await s.run(
    "update intentions set secret = 'both', state = case id when 'm7' then 'failed' else state end where id in ('m6', 'm7', 'm8')",
  );
  expect(await since()).toEqual(["intention-updated m7"]);
});

test("20: an own column that the wire function names is sent, also when it changes alone", async () => {
  const [wire] = await s.query(
    "select pg_get_functiondef('sync.intention_json(public.intentions)'::regprocedure) as text",
  );
  await s.run(String(wire?.text).replace("intention.id as", 'intention.mood as "mood", intention.id as'));
  await s.run("update intentions set mood = 'glad' where id = 'm3'");
  expect(await since()).toEqual(["intention-updated m3"]);
  const [event] = (await eventsSince(s, "hall", version)) ?? [];
  expect(event?.data?.mood).toBe("glad");
  await s.run("update intentions set mood = 'glad', secret = 'same'  where id in ('m3', 'm4')");
  expect(await since()).toEqual(["intention-updated m3", "intention-updated m4"]);
  expect(await versionOf(s, "hall")).toBe(version + 2);
});

test("20: an own virtual column that the wire function names is sent when what it is made of changes", async (context) => {
  if (Number(await s.value("select current_setting('server_version_num')")) < 180_000) context.skip();
  const [wire] = await s.query(
    "select pg_get_functiondef('sync.being_json(public.beings)'::regprocedure) as text",
  );
  await s.undone(async () => {
    await s.run(
      "alter table beings add column half integer, add column twice integer generated always as (half * 2) virtual",
      String(wire?.text).replace("being.id as", 'being.twice as "twice", being.id as'),
      "update beings set half = 4 where id = 'b2'",
      "set constraints all immediate",
    );
    const [event] = (await eventsSince(s, "hall", version)) ?? [];
    expect(event?.data).toMatchObject({ id: "b2", twice: 8 });
  });
});
