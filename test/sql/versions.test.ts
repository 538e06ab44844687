import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { recordOf, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);

test("P1: each committed transaction raises the version by one, from 1 on", async () => {
  for (let n = 1; n <= 5; n++) {
    await s.run(`insert into intentions (id, location_id) values ('dense-${n}', 'dense')`);
    expect(await versionOf(s, "dense")).toBe(n);
  }
});

test("P1: many statements on many rows are one version, in each space that they change", async () => {
  await s.run(
    "begin",
    "insert into beings (id, location_id) values ('many-a', 'many-1'), ('many-b', 'many-2')",
    "insert into intentions (id, location_id) select 'many-' || n, 'many-' || n % 2 + 1 from generate_series(1, 30) n",
    "update intentions set state = 'failed' where location_id = 'many-1'",
    "delete from beings where id = 'many-a'",
    "commit",
  );
  expect([await versionOf(s, "many-1"), await versionOf(s, "many-2")]).toEqual([1, 1]);
});

test("P1: what changes after set constraints all immediate has the version of its transaction", async () => {
  await s.run("insert into beings (id, location_id) values ('immediate-0', 'immediate')");
  await s.run(
    "begin",
    "insert into beings (id, location_id) values ('immediate-1', 'immediate')",
    "set constraints all immediate",
  );
  expect(await versionOf(s, "immediate")).toBe(2);
  await s.run(
    "insert into beings (id, location_id) values ('immediate-2', 'immediate'), ('immediate-3', 'immediate-other')",
    "update beings set name = 'again' where id = 'immediate-1'",
    "set constraints all deferred",
    "delete from beings where id = 'immediate-0'",
    "commit",
  );
  expect(await recordOf(s, "immediate")).toEqual([
    "being immediate-0 1..2 gone",
    "being immediate-1 2..2",
    "being immediate-2 2..2",
  ]);
  expect(await recordOf(s, "immediate-other")).toEqual(["being immediate-3 1..1"]);
});

test("P4: a rollback leaves no version, also after set constraints all immediate", async () => {
  await s.run("insert into beings (id, location_id) values ('rollback-1', 'rollback')");
  await s.undone(() =>
    s.run(
      "insert into beings (id, location_id) values ('rollback-2', 'rollback')",
      "set constraints all immediate",
    ),
  );
  expect(await recordOf(s, "rollback")).toEqual(["being rollback-1 1..1"]);
  await s.run("insert into beings (id, location_id) values ('rollback-3', 'rollback')");
  expect(await versionOf(s, "rollback")).toBe(2);
});

test("P4: a savepoint that is rolled back leaves nothing, and the rest of its transaction stays", async () => {
  await s.run(
    "begin",
    "insert into beings (id, location_id) values ('savepoint-1', 'savepoint')",
    "savepoint one",
    "insert into beings (id, location_id) values ('savepoint-2', 'savepoint'), ('savepoint-3', 'savepoint-gone')",
    "update beings set location_id = 'savepoint-gone' where id = 'savepoint-1'",
    "rollback to savepoint one",
    "insert into beings (id, location_id) values ('savepoint-4', 'savepoint')",
    "commit",
  );
  expect(await recordOf(s, "savepoint")).toEqual(["being savepoint-1 1..1", "being savepoint-4 1..1"]);
  expect(await versionOf(s, "savepoint-gone")).toBe(0);
});

test("P4: a transaction of which every savepoint is rolled back leaves no version", async () => {
  await s.run(
    "begin",
    "savepoint one",
    "insert into beings (id, location_id) values ('nothing', 'nothing')",
    "set constraints all immediate",
    "rollback to savepoint one",
    "commit",
  );
  expect(await versionOf(s, "nothing")).toBe(0);
});

test("P4: an error that a plpgsql block catches leaves nothing of that block", async () => {
  await s.run(`do $$
    begin
      insert into public.beings (id, location_id) values ('caught-1', 'caught');
      begin
        insert into public.beings (id, location_id) values ('caught-2', 'caught'), ('caught-3', 'caught-gone');
        raise exception 'no';
      exception when raise_exception then null;
      end;
    end $$`);
  expect(await recordOf(s, "caught")).toEqual(["being caught-1 1..1"]);
  expect(await versionOf(s, "caught-gone")).toBe(0);
});

test("P1: a write that a constraint refuses at commit leaves no version", async () => {
  await s.run(`create table guests (being_id text references beings (id) deferrable initially deferred)`);
  await s.run(
    "begin",
    "insert into beings (id, location_id) values ('refused', 'refused')",
    "insert into guests values ('nobody')",
  );
  expect(await s.refusal("commit")).toBe("23503");
  expect(await versionOf(s, "refused")).toBe(0);
});
