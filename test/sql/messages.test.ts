import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { type Row, useSession } from "../support/postgres/session.js";

const db = useDatabase();
const s = useSession(db);

async function page(spaceId: string, limit: number, before: unknown = null) {
  const [row] = await s.query("select * from sync._list('intention', $1, $2, $3)", [spaceId, limit, before]);
  const messages = (row?.list ?? []) as Row[];
  return {
    ids: messages.map((message) => message.id),
    first: messages[0]?.messageId,
    last: row?.last_label,
    more: row?.has_more,
  };
}

test("pages go back to the first message, over ties and through every limit, without a hole or a repetition", async () => {
  // Three instants, of 1, 7 and 4 messages; the numbers of the IDs pass from 2 digits to 3 in a tie.
  await s.query("select setval('sync.message_number', 94)");
  await s.run(
    `insert into intentions (id, location_id, created_at)
     select 'm' || n, 'ties', '2024-01-01Z'::timestamptz + case when n = 1 then 0 when n < 9 then 1 else 2 end * interval '1 hour'
     from generate_series(1, 12) n`,
    "insert into intentions (id, location_id, created_at) values ('strange', 'beside', '2024-01-01Z')",
  );
  const all = Array.from({ length: 12 }, (_, n) => `m${n + 1}`);
  for (let limit = 1; limit <= 13; limit++) {
    const pages: unknown[] = [];
    let before: unknown = null;
    for (let more: unknown = true; more; ) {
      const found = await page("ties", limit, before);
      pages.unshift(...found.ids);
      before = found.first;
      more = found.more;
    }
    expect(pages).toEqual(all);
  }
});

test("there are more messages only where there is one more", async () => {
  await s.run(
    "insert into intentions (id, location_id) values ('a', 'more'), ('b', 'more')",
    "insert into intentions (id, location_id) values ('c', 'more')",
  );
  expect(await page("more", 3)).toMatchObject({ ids: ["a", "b", "c"], more: false });
  expect(await page("more", 2)).toMatchObject({ ids: ["b", "c"], more: true });
  const c = await s.value("select message_id from intentions where id = 'c'");
  expect((await page("more", 3)).last).toBe(c);
  expect(await page("more", 2, c)).toMatchObject({ ids: ["a", "b"], more: false });
  const a = await s.value("select message_id from intentions where id = 'a'");
  expect(await page("more", 2, a)).toEqual({ ids: [], first: undefined, last: null, more: false });
});

test("a space without messages has an empty page", async () => {
  expect(await page("nothing", 10)).toEqual({ ids: [], first: undefined, last: null, more: false });
});

test("before must be a message of the space: no_data_found", async () => {
  const elsewhere = await s.value(
    "insert into intentions (location_id) values ('before-other') returning message_id",
  );
  const deleted = await s.value(
    "insert into intentions (location_id) values ('before') returning message_id",
  );
  await s.run("delete from intentions where location_id = 'before'");
  for (const before of [elsewhere, deleted, "msg_999999", "", "x' or true"]) {
    const { error } = await s.outcome("select * from sync._list('intention', 'before', 10, $1)", [before]);
    expect(error?.code).toBe("P0002");
    expect(error?.message).toContain(`there is no message ${before} in space before`);
  }
});
