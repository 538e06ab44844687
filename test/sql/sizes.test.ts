import { beforeAll, beforeEach, expect, test } from "vitest";
import { toSpacefeedError } from "../../src/server/postgres/errors.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";

// A text of 512 MiB ends the process of a relay. Here a piece of JSON may have 100,000 bytes, and a row 400,000.

const db = useDatabase();
const s = useSession(db);
let space: string;
let n = 0;

beforeAll(async () => {
  expect(await s.value("select sync._most_bytes()")).toBe(64 * 1024 * 1024);
  await s.run(
    "create or replace function sync._most_bytes() returns integer language sql immutable set search_path = '' as 'select 100000'",
  );
});

beforeEach(async () => {
  space = `space-${++n}`;
  await s.query("insert into public.beings (id, type) values ($1, 'space')", [space]);
});

const say = (...bytes: number[]) =>
  s.query(
    `insert into public.intentions (id, location_id, name)
     select $1 || '-' || o, $1, repeat('x', n) from unnest($2::int[]) with ordinality as t (n, o) order by o`,
    [space, bytes],
  );
const page = async (limit: number, before: string | null = null) => {
  const [row] = await s.query(
    `select m.has_more, m.last_label, octet_length(m.list::text) as bytes,
       array(select e ->> 'id' from json_array_elements(m.list) e) as ids,
       m.list -> 0 ->> 'messageId' as first
     from sync._list('intention', $1, $2, $3) as m`,
    [space, limit, before],
  );
  return row as { has_more: boolean; last_label: string; bytes: number; ids: string[]; first: string };
};

/** What a relay makes of the refusal of a statement. */
async function refusalOf(text: string, values: unknown[]) {
  const { error } = await s.outcome(text, values);
  return { state: error?.code, code: toSpacefeedError(error).code, message: error?.message };
}
const tooLarge = (message: RegExp) => ({
  state: "54000",
  code: "too_large",
  message: expect.stringMatching(message),
});

test("a page of messages has as many as there is room for, and says that there are more", async () => {
  await say(30_000, 30_000, 30_000, 30_000, 30_000);
  const newest = await page(100);
  expect(newest).toMatchObject({ has_more: true, ids: [`${space}-3`, `${space}-4`, `${space}-5`] });
  expect(newest.bytes).toBeLessThan(100_000);
  const older = await page(100, newest.first);
  expect(older).toMatchObject({ has_more: false, ids: [`${space}-1`, `${space}-2`] });
  const [snapshot] = await s.query(
    "select has_more, json_array_length(intentions) as n, last_message_id from sync.snapshot($1)",
    [space],
  );
  expect(snapshot).toEqual({ has_more: true, n: 3, last_message_id: newest.last_label });
});

test("where there is room, the limit decides, to the message", async () => {
  await say(1, 1, 1);
  expect(await page(3)).toMatchObject({ has_more: false, ids: [1, 2, 3].map((i) => `${space}-${i}`) });
  expect(await page(2)).toMatchObject({ has_more: true, ids: [2, 3].map((i) => `${space}-${i}`) });
  const none = await page(0);
  expect(none).toMatchObject({ has_more: true, ids: [] });
  expect(none.last_label).toBe((await page(1)).last_label);
});

test("a message that is more by itself comes alone; one of four times that is refused", async () => {
  await say(10, 200_000, 10);
  expect(await page(2)).toMatchObject({ has_more: true, ids: [`${space}-3`] });
  await s.query("delete from public.intentions where id = $1", [`${space}-3`]);
  expect(await page(2)).toMatchObject({ has_more: true, ids: [`${space}-2`] });
  expect(await s.value("select (sync._wire('intention', $1)).space_ids[1]", [`${space}-2`])).toBe(space);
  await s.query("update public.intentions set name = repeat('x', 400000) where id = $1", [`${space}-2`]);
  for (const ask of ["sync._list('intention', $1, 2)", "sync.snapshot($1)"]) {
    expect(await refusalOf(`select * from ${ask}`, [space])).toEqual(
      tooLarge(/^the message cannot be sent: 40\d{4} bytes/),
    );
  }
  expect(await refusalOf("select sync.read(null, 'intention', $1, null)", [`${space}-2`])).toEqual(
    tooLarge(/^the message cannot be sent/),
  );
  await s.query("update public.beings set name = repeat('x', 400000) where id = $1", [space]);
  expect(await refusalOf("select sync.read(null, 'being', $1, null)", [space])).toEqual(
    tooLarge(/^the being cannot be sent/),
  );
});

test("beings that are more are refused, in a list and in a snapshot", async () => {
  const add = "insert into public.beings (location_id, name) values ($1, repeat('x', 60000))";
  await s.query(add, [space]);
  expect(await s.value("select count(*)::int from sync.snapshot($1)", [space])).toBe(1);
  await s.query(add, [space]);
  for (const ask of ["sync._list('being', $1)", "sync.snapshot($1)"]) {
    expect(await refusalOf(`select * from ${ask}`, [space])).toEqual(
      tooLarge(/^the list of beings cannot be sent: 12\d{4} bytes/),
    );
  }
  expect(await s.value("select json_array_length((sync._list('being', $1, 1)).list)", [space])).toBe(1);
});

test("events that are more are none: a snapshot is to be taken, and other spaces have theirs", async () => {
  const since = async () =>
    (
      await s.query(
        `select c.space_id, c.events is null as is_snapshot, cardinality(c.events) as n
         from sync.changes_since(array[$1, 'other'], '{1,0}', 100) as c order by 1 desc`,
        [space],
      )
    ).map(({ is_snapshot, n }) => (is_snapshot ? "snapshot" : n));
  await s.run("insert into public.intentions (location_id) values ('other')");
  await say(30_000, 30_000, 30_000);
  expect(await since()).toEqual([3, 1]);
  await s.query("insert into public.intentions (location_id, name) values ($1, repeat('x', 30000))", [space]);
  expect(await since()).toEqual(["snapshot", 1]);
});
