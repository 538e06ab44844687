import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { type Row, useSession } from "../support/postgres/session.js";

const db = useDatabase();
const s = useSession(db);

async function snapshot(spaceId: string, limit?: number) {
  const call = limit === undefined ? "sync.snapshot($1)" : "sync.snapshot($1, $2)";
  const rows = await s.query(
    `select version::int, cursor, beings, intentions, last_message_id, has_more from ${call}`,
    limit === undefined ? [spaceId] : [spaceId, limit],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const ids = (list: unknown) => (list as Row[]).map((entity) => entity.id);
  return { ...row, beings: ids(row.beings), intentions: ids(row.intentions) } as Row & {
    intentions: string[];
  };
}

test("P7: a snapshot has the version, the cursor, the beings and the messages of a space, oldest first", async () => {
  await s.run(
    "insert into beings (id, type) values ('full', 'space')",
    "insert into beings (id, location_id) values ('full-b', 'full'), ('full-a', 'full'), ('other', 'elsewhere')",
    "insert into intentions (id, location_id) values ('full-2', 'full'), ('full-1', 'full'), ('o', 'elsewhere')",
  );
  expect(await snapshot("full")).toEqual({
    version: 3,
    cursor: `${await s.value("select sync.epoch()")}.3`,
    beings: ["full", "full-b", "full-a"],
    intentions: ["full-2", "full-1"],
    last_message_id: await s.value("select message_id from intentions where id = 'full-1'"),
    has_more: false,
  });
});

test("P7: a limit keeps the newest messages, and says that there are more", async () => {
  await s.run(
    `insert into intentions (id, location_id, created_at)
     select 'n-' || n, 'limit', '2024-01-01Z'::timestamptz + n * interval '1 minute' from generate_series(1, 5) n`,
  );
  expect(await snapshot("limit", 2)).toMatchObject({ intentions: ["n-4", "n-5"], has_more: true });
  expect(await snapshot("limit", 5)).toMatchObject({ has_more: false });
  expect((await snapshot("limit", 5))?.intentions).toHaveLength(5);
  expect(await snapshot("limit", 0)).toMatchObject({ intentions: [], has_more: true });
});

test("P7: without a limit the newest 100", async () => {
  await s.run("insert into intentions (location_id) select 'hundred' from generate_series(1, 101)");
  const found = await snapshot("hundred");
  expect([found?.intentions.length, found?.has_more]).toEqual([100, true]);
});

test("P7: messages of one instant are in the order of their IDs, by number and not by letter", async () => {
  await s.query("select setval('sync.message_number', 996)");
  await s.run(
    `insert into intentions (id, location_id, created_at)
     select 'tie-' || n, 'tie', '2024-01-01Z' from generate_series(1, 6) n`,
  );
  expect(await snapshot("tie")).toMatchObject({
    intentions: ["tie-1", "tie-2", "tie-3", "tie-4", "tie-5", "tie-6"],
    last_message_id: "msg_1002",
  });
  expect((await snapshot("tie", 4))?.intentions).toEqual(["tie-3", "tie-4", "tie-5", "tie-6"]);
});

test("P7: the order is that of created_at, not that of the insert", async () => {
  await s.run(
    "insert into intentions (id, location_id, created_at) values ('late', 'past', '2024-01-02Z')",
    "insert into intentions (id, location_id, created_at) values ('early', 'past', '2024-01-01Z')",
  );
  expect(await snapshot("past", 1)).toMatchObject({
    intentions: ["late"],
    last_message_id: await s.value("select message_id from intentions where id = 'late'"),
  });
});

test("P7: there is no snapshot of a space that there is not, and none of a being that is no space", async () => {
  await s.run("insert into beings (id, location_id) values ('person', 'full')");
  for (const id of ["unknown", "person", ""]) {
    expect(await snapshot(id)).toBeUndefined();
    expect(await s.value("select sync.current_cursor($1)", [id])).toBeNull();
  }
});

test("P7: a space that is elsewhere, and in which nothing has been, is empty at version 0", async () => {
  await s.run("insert into beings (id, type, location_id) values ('branch', 'space', 'full')");
  const empty = { beings: [], intentions: [], last_message_id: null, has_more: false };
  expect(await snapshot("branch")).toEqual({
    version: 0,
    cursor: `${await s.value("select sync.epoch()")}.0`,
    ...empty,
  });
  const [caughtUp] = await s.query(
    "select version::int, events from sync.changes_since('{branch}', '{0}', 10)",
  );
  expect(caughtUp).toEqual({ version: 0, events: [] });
  await s.run("insert into intentions (id, location_id) values ('first', 'branch')");
  expect(await snapshot("branch")).toMatchObject({ version: 1, intentions: ["first"] });
});

test("P7: a space of which all has been deleted is there, empty at its version", async () => {
  await s.run("insert into beings (id, type) values ('gone', 'space')");
  await s.run("delete from beings where id = 'gone'");
  expect(await snapshot("gone")).toMatchObject({ version: 2, beings: [], intentions: [] });
});
