import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { eventsSince, faults, inShort, recordOf, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);

test("P3: a being or a message that moves is deleted here and created there", async () => {
  await s.run(
    "insert into beings (id, location_id) values ('walker', 'here'), ('host', 'there')",
    "insert into intentions (id, location_id) values ('note', 'here')",
  );
  await s.run("update beings set location_id = 'there' where id = 'walker'");
  await s.run("update intentions set location_id = 'there' where id = 'note'");
  expect(inShort(await eventsSince(s, "here", 2))).toEqual([
    "being-deleted walker",
    "intention-deleted note",
  ]);
  expect(inShort(await eventsSince(s, "there", 1))).toEqual([
    "being-created walker",
    "intention-created note",
  ]);
  expect(await recordOf(s, "there")).toEqual(["being host 1..1", "being walker 2..2", "intention note 3..3"]);
});

test("P1: there and back in one transaction is a version at home, and none abroad", async () => {
  await s.run("insert into beings (id, location_id) values ('tourist', 'home')");
  await s.run(
    "begin",
    "update beings set location_id = 'abroad' where id = 'tourist'",
    "update beings set location_id = 'home' where id = 'tourist'",
    "commit",
  );
  expect(await recordOf(s, "home")).toEqual(["being tourist 1..2"]);
  expect(await recordOf(s, "abroad")).toEqual([]);
});

test("P3: there and back in two transactions is a creation at home", async () => {
  await s.run("insert into beings (id, location_id) values ('pendler', 'flat')");
  await s.run("update beings set location_id = 'office' where id = 'pendler'");
  await s.run("update beings set location_id = 'flat' where id = 'pendler'");
  expect(await recordOf(s, "flat")).toEqual(["being pendler 3..3"]);
  expect(inShort(await eventsSince(s, "flat", 2))).toEqual(["being-created pendler"]);
});

test("P3: without a location a being is in no space; it leaves one and comes into another", async () => {
  await s.run("insert into beings (id) values ('ghost')");
  await s.run("update beings set name = 'Ghost' where id = 'ghost'");
  expect(await s.value("select count(*)::int from sync.changes where entity_id = 'ghost'")).toBe(0);
  await s.run("update beings set location_id = 'castle' where id = 'ghost'");
  await s.run("update beings set location_id = null where id = 'ghost'");
  await s.run("delete from beings where id = 'ghost'");
  expect(await recordOf(s, "castle")).toEqual(["being ghost 1..2 gone"]);
});

test("P3: rows in no space and rows in a space share a transaction", async () => {
  await s.run(
    "begin",
    "insert into beings (id) values ('nowhere-1')",
    "insert into beings (id, location_id) values ('somewhere', 'mixed')",
    "delete from beings where id = 'nowhere-1'",
    "insert into beings (id) values ('nowhere-2')",
    "commit",
  );
  expect(await recordOf(s, "mixed")).toEqual(["being somewhere 1..1"]);
});

test("P3: a row that takes another ID and another space at once", async () => {
  await s.run("insert into intentions (id, location_id) values ('old-id', 'old-place')");
  await s.run("update intentions set id = 'new-id', location_id = 'new-place' where id = 'old-id'");
  expect(await recordOf(s, "old-place")).toEqual(["intention old-id 1..2 gone"]);
  expect(await recordOf(s, "new-place")).toEqual(["intention new-id 1..1"]);
});

test("P6: a space created without a location is in itself; another being is in no space", async () => {
  await s.run("insert into beings (id, type, name) values ('lobby', 'space', 'Lobby')");
  await s.run("insert into beings (id, type) values ('loner', 'bot')");
  await s.run("insert into beings (id, type, location_id) values ('annex', 'space', 'lobby')");
  expect(
    await s.query("select id, location_id from beings where id in ('lobby', 'loner', 'annex') order by id"),
  ).toEqual([
    { id: "annex", location_id: "lobby" },
    { id: "lobby", location_id: "lobby" },
    { id: "loner", location_id: null },
  ]);
  expect(inShort(await eventsSince(s, "lobby", 0))).toEqual(["being-created lobby", "being-created annex"]);
});

test("P6: a space may be created after what is in it, and be deleted before it", async () => {
  await s.run("insert into intentions (id, location_id) values ('early', 'later')");
  await s.run("insert into beings (id, type) values ('later', 'space')");
  await s.run("delete from beings where id = 'later'");
  await s.run("insert into intentions (id, location_id) values ('late', 'later')");
  expect(await recordOf(s, "later")).toEqual([
    "being later 2..3 gone",
    "intention early 1..1",
    "intention late 4..4",
  ]);
  expect(await faults(s)).toEqual([]);
});

test("P1: versions go on where they were when a space is deleted with all that is in it, and created again", async () => {
  await s.run("insert into beings (id, type) values ('phoenix', 'space')");
  await s.run("insert into intentions (id, location_id) values ('ash', 'phoenix')");
  await s.run("delete from intentions where location_id = 'phoenix'");
  await s.run("delete from beings where id = 'phoenix'");
  await s.run("insert into beings (id, type) values ('phoenix', 'space')");
  expect(await recordOf(s, "phoenix")).toEqual(["being phoenix 5..5", "intention ash 2..3 gone"]);
});

test("P3: two messages that swap their IDs and places are each filed as what has the ID now", async () => {
  await s.run(
    "alter table intentions drop constraint intentions_pkey",
    "alter table intentions add constraint intentions_pkey primary key (id) deferrable",
    "insert into intentions (id, location_id) values ('x', 'swap-1'), ('y', 'swap-2'), ('z', 'swap-1')",
  );
  const swap = `update intentions
    set id = case id when 'x' then 'y' when 'y' then 'x' else id end,
        location_id = case id when 'x' then 'swap-2' when 'y' then 'swap-1' else location_id end
    where location_id like 'swap-%'`;
  for (const version of [2, 3]) {
    await s.run(swap);
    expect(await versionOf(s, "swap-1")).toBe(version);
    expect(await faults(s)).toEqual([]);
  }
  const swapIds = swap.replace(/,\s+location_id = case.* end/, "");
  await s.run("begin", swapIds, "set constraints all immediate", swapIds, swap, "commit");
  expect(await faults(s)).toEqual([]);
});
