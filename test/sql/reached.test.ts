import { beforeEach, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";

const db = useDatabase();
const s = useSession(db);

/** Relays 1 and 2 are there; each tells what a test has it tell. */
beforeEach(() =>
  s.run(
    "delete from sync.relays",
    "delete from sync.readers",
    "select sync.tell_reached(1, null, '{}', '{}'), sync.tell_reached(2, null, '{}', '{}')",
  ),
);
const tell = (relay: number, version: number | null, spaceId = "hall") =>
  s.query("select sync.tell_reached($1, sync.epoch(), $2, $3)", [relay, [spaceId], [version]]);
const reached = (spaceId = "hall") => s.value("select sync.reached($1)::int", [spaceId]);
const age = (column: string, by: string) =>
  s.query(`update sync.relays set ${column} = ${column} - $1::interval where relay = 2`, [by]);

test("it is known when all have answered in the last 5 s, of this space", async () => {
  await tell(1, 5);
  await tell(2, 7, "den");
  expect(await reached()).toBeNull();
  await tell(2, 3);
  expect(await reached()).toBe(3);
  await tell(2, null);
  expect(await reached()).toBe(5);
  await s.run("update sync.readers set said_at = said_at - interval '5 s' where relay = 2");
  expect(await reached()).toBeNull();
});

test("a relay that does not answer for 30 s is gone, and comes back with its next answer", async () => {
  await tell(1, 5);
  await age("missing_since", "29 s");
  await tell(1, 5);
  expect(await reached()).toBeNull();
  await age("missing_since", "2 s");
  await tell(1, 5);
  expect(await reached()).toBe(5);
  await tell(2, 3);
  expect(await reached()).toBe(3);
});

test("what it missed long ago is not held against it: it has the time to answer now", async () => {
  await tell(1, 5);
  await age("missing_since", "1 hour");
  await age("missed_at", "26 s");
  await tell(1, 5);
  expect(await reached()).toBeNull();
  await tell(2, 3);
  expect(await s.query("select missing_since, missed_at from sync.relays where relay = 2")).toEqual([
    { missing_since: null, missed_at: null },
  ]);
});

test("a relay without readers answers with the version of then, and readers of another incarnation have nothing", async () => {
  await s.run("insert into beings (id, type) values ('hut', 'space')", "select sync.record()");
  await tell(1, null, "hut");
  await tell(2, null, "hut");
  await s.run("insert into intentions (location_id) values ('hut')", "select sync.record()");
  expect(await reached("hut")).toBe(1); // somebody may have come between
  await tell(1, 2, "hut");
  await s.query("select sync.tell_reached(2, 'of a restored database', '{hut}', '{2}')");
  expect(await reached("hut")).toBe(0);
});

test("waiting takes no answer of before the call: readers may have come since", async () => {
  await tell(1, 7);
  await tell(2, 7);
  expect(await reached()).toBe(7);
  expect(await s.refusal("call sync.wait_until_reached('hall', 7, '100 ms')")).toBe("SF504");
});
