import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { Session, useSession } from "../support/postgres/session.js";

const db = useDatabase();
const s = useSession(db);

const numberOf = (messageId: unknown) => Number(/^msg_(\d+)$/.exec(String(messageId))?.[1]);

test("P6: each message has an ID of its own, in the order of the rows of a statement", async () => {
  const rows = await s.query(
    `insert into intentions (id, location_id) select 'order-' || n, 'order' from generate_series(1, 500) n
     returning message_id`,
  );
  const numbers = rows.map((row) => numberOf(row.message_id));
  expect(numbers).toEqual(numbers.map((_, n) => (numbers[0] as number) + n));
});

test("P6: an ID that the writer brings along is not used", async () => {
  const given = await s.value(
    "insert into intentions (location_id, message_id) values ('given', 'msg_900000') returning message_id",
  );
  const without = await s.value("insert into intentions (location_id) values ('given') returning message_id");
  expect(numberOf(without)).toBe(numberOf(given) + 1);
});

test("P6: an update cannot change it", async () => {
  const id = await s.value(
    "insert into intentions (id, location_id) values ('fixed', 'fixed') returning message_id",
  );
  for (const assignment of ["message_id = 'msg_1'", "message_id = null", "message_id = 'x', name = 'n'"]) {
    expect(await s.value(`update intentions set ${assignment} where id = 'fixed' returning message_id`)).toBe(
      id,
    );
  }
  await s.run("update intentions set id = 'fixed-2', location_id = 'moved' where id = 'fixed'");
  expect(await s.value("select label from sync.changes where entity_id = 'fixed-2'")).toBe(id);
});

test("P4: a rollback leaves a hole, and no ID is given out twice", async () => {
  const insert = "insert into intentions (location_id) values ('hole') returning message_id";
  const before = numberOf(await s.value(insert));
  const lost = numberOf(await s.undone(() => s.value(insert)));
  expect(lost).toBe(before + 1);
  expect(numberOf(await s.value(insert))).toBe(before + 2);
});

test("P6: two sessions at once have different IDs", async () => {
  const sessions = await Promise.all([1, 2, 3, 4].map(() => Session.open(db)));
  const insert = "insert into intentions (location_id) values ('at-once') returning message_id";
  const ids: unknown[] = [];
  for (let n = 0; n < 25; n++) ids.push(...(await Promise.all(sessions.map((each) => each.value(insert)))));
  expect(new Set(ids).size).toBe(100);
});

test("P6: modified_at moves on a change, and only then; a given one is kept", async () => {
  for (const table of ["beings", "intentions"]) {
    const before = await s.value(
      `insert into ${table} (id, location_id, created_at, modified_at)
       values ('m', 'stamp', '2020-01-01Z', '2020-01-01Z') returning modified_at::text`,
    );
    const update = (assignment: string) =>
      s.value(`update ${table} set ${assignment} where id = 'm' returning modified_at::text`);
    expect(await update("name = name")).toBe(before);
    const moved = await update("name = 'new'");
    expect(moved).not.toBe(before);
    expect(await s.value("select $1::timestamptz > now() - interval '1 hour'", [moved])).toBe(true);
    await update("name = 'newer', modified_at = '2021-06-01Z'");
    const kept = `select created_at = '2020-01-01Z' and modified_at = '2021-06-01Z' from ${table} where id = 'm'`;
    expect(await s.value(kept)).toBe(true);
  }
});

test("P6: the messages of one transaction keep their order by created_at", async () => {
  await s.run(
    "begin",
    "insert into intentions (id, location_id) values ('first', 'clock')",
    "insert into intentions (id, location_id) values ('second', 'clock')",
    "commit",
  );
  const ids = await s.query("select id from intentions where location_id = 'clock' order by created_at");
  expect(ids).toEqual([{ id: "first" }, { id: "second" }]);
});
