import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { faults, recordOf, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);

const touched = () => s.value("select count(*)::int from sync.notes");
const recorded = (spaceId: string) =>
  s.query(
    `select entity_type, deleted_at is not null as deleted, count(*)::int, min(version)::int as lowest, max(version)::int as highest
     from sync.changes where space_id = $1 group by 1, 2 order by 1, 2`,
    [spaceId],
  );

test("P5: 5,000 rows in one statement are one version, and nothing stays in sync.notes", async () => {
  await s.run(
    "insert into intentions (id, location_id) select 'one-' || n, 'one' from generate_series(1, 5000) n",
  );
  expect(await recorded("one")).toEqual([
    { entity_type: "intention", deleted: false, count: 5000, lowest: 1, highest: 1 },
  ]);
  expect(await touched()).toBe(0);
  await s.run("update intentions set state = 'failed' where location_id = 'one'");
  await s.run("delete from intentions where location_id = 'one'");
  expect(await recorded("one")).toEqual([
    { entity_type: "intention", deleted: true, count: 5000, lowest: 3, highest: 3 },
  ]);
  expect(await faults(s)).toEqual([]);
});

test("P5: 300 statements of a row each, over 7 spaces, are one version in each", async () => {
  await s.run("begin");
  for (let n = 0; n < 300; n++) {
    await s.run(`insert into beings (id, location_id) values ('each-${n}', 'each-${n % 7}')`);
  }
  expect(await touched()).toBeGreaterThan(0);
  await s.run("commit");
  expect(await s.query("select distinct version::int from sync.spaces where space_id like 'each-%'")).toEqual(
    [{ version: 1 }],
  );
  expect(await s.value("select count(*)::int from sync.changes where space_id like 'each-%'")).toBe(300);
  expect(await touched()).toBe(0);
});

test("P4: of a big transaction, the rows of a rolled-back savepoint leave nothing", async () => {
  const insert = (prefix: string) =>
    `insert into beings (id, location_id) select '${prefix}-' || n, 'savepoint' from generate_series(1, 200) n`;
  await s.run("begin", insert("kept-1"), "savepoint one", insert("gone"));
  await s.run("insert into beings (id, location_id) values ('gone', 'savepoint-gone')");
  await s.run("savepoint two", insert("gone-too"), "rollback to savepoint one", insert("kept-2"), "commit");
  expect(await recorded("savepoint")).toEqual([
    { entity_type: "being", deleted: false, count: 400, lowest: 1, highest: 1 },
  ]);
  expect(await versionOf(s, "savepoint-gone")).toBe(0);
  expect(await touched()).toBe(0);
  expect(await faults(s)).toEqual([]);
});

test("P4: a big transaction that is rolled back leaves nothing", async () => {
  await s.undone(() =>
    s.run(
      "insert into beings (id, location_id) select 'undone-' || n, 'undone' from generate_series(1, 500) n",
    ),
  );
  expect([await touched(), await versionOf(s, "undone")]).toEqual([0, 0]);
});

test("P3: rows that a big transaction changes again and again end as their last state", async () => {
  await s.run(
    "begin",
    "insert into beings (id, location_id) select 'row-' || n, 'first' from generate_series(1, 100) n",
  );
  for (const place of ["second", "third", "first", "second", "third"]) {
    await s.run(`update beings set location_id = '${place}' where id like 'row-%'`);
  }
  await s.run(
    "delete from beings where id = 'row-1'",
    "update beings set location_id = 'first' where id = 'row-2'",
    "delete from beings where id = 'row-3'",
    "insert into beings (id, location_id) values ('row-3', 'second')",
    "commit",
  );
  const alive = (space: string) =>
    s.value("select count(*)::int from sync.changes where space_id = $1 and deleted_at is null", [space]);
  expect([await alive("first"), await alive("second"), await alive("third")]).toEqual([1, 1, 97]);
  expect(await recordOf(s, "first")).toContain("being row-2 1..1");
  expect(await recordOf(s, "second")).toContain("being row-3 1..1");
  expect(await s.value("select count(*)::int from sync.changes where entity_id = 'row-1'")).toBe(0);
  expect(await faults(s)).toEqual([]);
});

test("P5: 1,000 rows with set constraints all immediate are one version", async () => {
  await s.run(
    "begin",
    "set constraints all immediate",
    "insert into beings (id, location_id) select 'now-' || n, 'now' from generate_series(1, 1000) n",
    "commit",
  );
  expect(await recorded("now")).toEqual([
    { entity_type: "being", deleted: false, count: 1000, lowest: 1, highest: 1 },
  ]);
});

test("P3: rows with the longest IDs are recorded", async () => {
  await s.run(
    `insert into intentions (id, location_id)
     select repeat('🦊', 254) || n, repeat('🌍', 255) from generate_series(1, 9) n`,
  );
  expect(await s.value("select version::int from sync.spaces where space_id = repeat('🌍', 255)")).toBe(1);
  expect(await faults(s)).toEqual([]);
});

test("P5: 25,000 rows over 7 spaces in one statement are one version in each", async () => {
  await s.run(
    "begin",
    "insert into intentions (id, location_id) select 'wide-' || n, 'wide-' || n % 7 from generate_series(1, 25000) n",
    "update intentions set location_id = 'wide-0' where location_id = 'wide-1'",
  );
  expect(await touched()).toBeGreaterThan(7);
  await s.run("commit");
  expect(
    await s.query(
      `select space_id, s.version::int, count(*)::int from sync.spaces s join sync.changes c using (space_id)
       where space_id like 'wide-%' and deleted_at is null group by 1, 2 order by 1`,
    ),
  ).toEqual(
    [0, 2, 3, 4, 5, 6].map((n) => ({
      space_id: `wide-${n}`,
      version: 1,
      count: n === 0 ? 3571 + 3572 : n <= 3 ? 3572 : 3571,
    })),
  );
  expect([await versionOf(s, "wide-1"), await touched()]).toEqual([0, 0]);
  expect(await faults(s)).toEqual([]);
});
