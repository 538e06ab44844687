import { beforeEach, expect, test } from "vitest";
import { copyFrom } from "../support/postgres/copy.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { faults, recordOf, versionOf } from "../support/relay/feed.js";

// After "set constraints all immediate" each statement is filed by itself, in the version of its transaction.
const db = useDatabase();
const s = useSession(db);

beforeEach(async () => {
  await s.run("truncate beings, intentions", "truncate sync.spaces, sync.changes");
  await s.run(
    "insert into beings (id, location_id) values ('a', 'room'), ('b', 'room')",
    "insert into intentions (id, location_id) values ('m', 'room')",
  );
});

/** What sync.changes has of the two spaces after the statements, run in a transaction that is immediate. */
async function filed(...statements: string[]): Promise<unknown[]> {
  await s.run("begin", "set constraints all immediate");
  for (const statement of statements) {
    await s.run(statement);
    expect(await s.value("select count(*)::int from sync.notes")).toBe(0);
    expect(await faults(s)).toEqual([]);
  }
  const lines = [...(await recordOf(s, "room")), ...(await recordOf(s, "hall"))];
  await s.run("commit");
  expect(await faults(s)).toEqual([]);
  return lines;
}

test("P6: inserts, updates, moves and deletes are filed one by one, in one version", async () => {
  expect(
    await filed(
      "insert into beings (id, location_id) values ('c', 'room')",
      "update beings set name = 'n' where id in ('a', 'b')",
      "update beings set location_id = 'hall' where id = 'a'",
      "delete from beings where id = 'b'",
      "delete from beings where id = 'c'",
    ),
  ).toEqual([
    "being a 1..3 gone",
    "being b 1..3 gone",
    "being c 3..3 gone",
    "intention m 2..2",
    "being a 1..1",
  ]);
});

test("P6: upserts, data-modifying CTEs and TRUNCATE are filed at once", async () => {
  expect(
    await filed(
      `insert into beings (id, location_id, name) values ('a', 'room', 'again'), ('c', 'hall', 'new')
       on conflict (id) do update set name = excluded.name`,
      `with gone as (delete from beings where id = 'b' returning id)
       insert into intentions (id, owner_id, location_id) select 'farewell', id, 'room' from gone`,
      "truncate intentions",
      "insert into intentions (id, location_id) values ('m', 'room')",
    ),
  ).toEqual(["being a 1..3", "being b 1..3 gone", "intention m 3..3", "being c 1..1"]);
});

test("P6: MERGE is filed at once", async ({ skip }) => {
  if (((await s.value("select current_setting('server_version_num')::integer")) as number) < 15_00_00) skip();
  expect(
    await filed(
      `merge into beings t using (values ('a'), ('b'), ('c')) as v (id) on t.id = v.id
       when matched and v.id = 'a' then delete
       when matched then update set name = 'merged'
       when not matched then insert (id, location_id) values (v.id, 'hall')`,
    ),
  ).toEqual(["being a 1..3 gone", "being b 1..3", "intention m 2..2", "being c 1..1"]);
});

test("P6: COPY is filed at once", async () => {
  await s.run("begin", "set constraints all immediate");
  await copyFrom(s, "copy beings (id, location_id) from stdin", "c\thall\nd\thall\n");
  expect(await recordOf(s, "hall")).toEqual(["being c 1..1", "being d 1..1"]);
  await s.run("commit");
  expect(await versionOf(s, "hall")).toBe(1);
});

test("P6: cascades are filed at once", async () => {
  await s.undone(async () => {
    await s.run(
      "alter table intentions add foreign key (owner_id) references beings (id) on delete cascade on update cascade",
      "update intentions set owner_id = 'a'",
      "set constraints all immediate",
      "update beings set id = 'z' where id = 'a'",
    );
    expect(await recordOf(s, "room")).toContain("intention m 2..3");
    await s.run("delete from beings where id = 'z'");
    expect(await recordOf(s, "room")).toContain("intention m 2..3 gone");
    expect(await faults(s)).toEqual([]);
  });
});

test("P3: a trigger that deletes the row that fired it leaves nothing, though its statement is filed first", async () => {
  await s.undone(async () => {
    await s.run(
      `create function undo() returns trigger language plpgsql as $$
       begin
         delete from public.intentions where id = new.id;
         return null;
       end $$`,
      "create trigger undo after insert on intentions for each row execute function undo()",
      "set constraints all immediate",
      "insert into intentions (id, location_id) values ('brief', 'hall')",
    );
    expect([await recordOf(s, "hall"), await versionOf(s, "hall")]).toEqual([[], 0]);
    expect(await faults(s)).toEqual([]);
  });
});

test("P4: a savepoint takes back what was filed, and what was noted", async () => {
  await s.run("begin", "savepoint one", "insert into beings (id, location_id) values ('noted', 'hall')");
  await s.run("rollback to savepoint one", "set constraints all immediate", "savepoint two");
  await s.run("insert into beings (id, location_id) values ('filed', 'hall')");
  expect(await versionOf(s, "hall")).toBe(1);
  await s.run("rollback to savepoint two", "set constraints all deferred");
  await s.run("insert into beings (id, location_id) values ('kept', 'hall')", "commit");
  expect(await recordOf(s, "hall")).toEqual(["being kept 1..1"]);
  expect(await s.value("select count(*)::int from sync.notes")).toBe(0);
});

test("P1: deferred after immediate is still one version", async () => {
  await s.run("begin", "set constraints all immediate", "update beings set name = 'one' where id = 'a'");
  await s.run("set constraints all deferred", "update beings set name = 'two' where id = 'b'");
  await s.run("update beings set name = 'three' where id = 'a'", "commit");
  expect(await recordOf(s, "room")).toEqual(["being a 1..3", "being b 1..3", "intention m 2..2"]);
});
