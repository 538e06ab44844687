import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { faults, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);

beforeAll(async () => {
  await s.run(
    "insert into beings (id, type) values ('v', 'space')",
    "insert into intentions (id, location_id) values ('m', 'v')",
    "insert into intentions (id, location_id) values ('d', 'v')",
    "delete from intentions where id = 'd'",
    "insert into beings (id, location_id) values ('w', 'w')",
    "insert into beings (id) values ('nowhere')",
  );
});

const intention = (entity_id: string, fault: string, space_id = "v") => ({
  space_id,
  entity_type: "intention",
  entity_id,
  fault,
});
const noChange = {
  space_id: "v",
  entity_type: "space",
  entity_id: "v",
  fault: "has a version with no change in it",
};

const CASES: [string, string, unknown[]][] = [
  ["nothing done", "select 1", []],
  [
    "a row inserted with the triggers off",
    "insert into intentions (id, message_id, location_id) values ('x', 'msg_77', 'v')",
    [intention("x", "is in the table, but not recorded")],
  ],
  [
    "a row deleted with the triggers off",
    "delete from intentions where id = 'm'",
    [intention("m", "is recorded, but not in the table")],
  ],
  [
    "a row moved with the triggers off",
    "update intentions set location_id = 'z' where id = 'm'",
    [
      intention("m", "is recorded, but not in the table"),
      intention("m", "is in the table, but not recorded", "z"),
    ],
  ],
  [
    "a deleted row inserted again with the triggers off",
    "insert into intentions (id, message_id, location_id) values ('d', 'msg_78', 'v')",
    [intention("d", "is in the table, but recorded as deleted")],
  ],
  [
    "another message ID",
    "update intentions set message_id = 'msg_79' where id = 'm'",
    [intention("m", "is recorded with another label")],
  ],
  [
    "a being put into a space with the triggers off",
    "update beings set location_id = 'w' where id = 'nowhere'",
    [
      {
        space_id: "w",
        entity_type: "being",
        entity_id: "nowhere",
        fault: "is in the table, but not recorded",
      },
    ],
  ],
  [
    "a space without its version",
    "delete from sync.spaces where space_id = 'w'",
    [
      {
        space_id: "w",
        entity_type: "being",
        entity_id: "w",
        fault: "is recorded in a space without a version",
      },
    ],
  ],
  [
    "a version that has been put back",
    "update sync.spaces set version = 3 where space_id = 'v'",
    [intention("d", "is recorded above the version of its space"), noChange],
  ],
  [
    "a creation that is later than the last change",
    "update sync.changes set created_version = version + 1 where entity_id = 'm'",
    [intention("m", "is recorded as created after its last change")],
  ],
  [
    "a tombstone of what there is not",
    `insert into sync.changes (space_id, entity_type, entity_id, version, created_version, deleted_at)
     values ('v', 'nonsense', 'q', 2, 1, now())`,
    [
      {
        space_id: "v",
        entity_type: "nonsense",
        entity_id: "q",
        fault: "is recorded, but of no table that is tracked",
      },
    ],
  ],
  [
    "a floor above the version",
    "update sync.spaces set floor = 3 where space_id = 'w'",
    [
      {
        space_id: "w",
        entity_type: "space",
        entity_id: "w",
        fault: "has a floor that is not between 0 and its version",
      },
    ],
  ],
  ["a version with nothing in it", "update sync.spaces set version = 9 where space_id = 'v'", [noChange]],
];

test.each(CASES)("P3: sync.verify() finds %s, and sync.reset() mends it", async (_, statement, expected) => {
  await s.undone(async () => {
    await s.run("set local session_replication_role = replica", statement);
    await s.run("set local session_replication_role = origin");
    expect((await faults(s)).sort((a, b) => (String(a.space_id) < String(b.space_id) ? -1 : 0))).toEqual(
      expected,
    );
    await s.query("select sync.reset()");
    expect(await faults(s)).toEqual([]);
  });
});

test("sync.verify() of one space tells of no other", async () => {
  await s.undone(async () => {
    await s.run("set local session_replication_role = replica", "delete from beings");
    expect(await s.query("select entity_id from sync.verify('w')")).toEqual([{ entity_id: "w" }]);
    expect(await s.query("select entity_id from sync.verify('unknown')")).toEqual([]);
    expect(await faults(s)).toHaveLength(2);
  });
});

test("P1: sync.reset() raises each version by one, the floor to it, and goes on from there", async () => {
  await s.undone(async () => {
    await s.run("insert into beings (id, location_id) values ('pending', 'v')");
    await s.query("select sync.reset()");
    await s.run("insert into beings (id, location_id) values ('more', 'v')", "set constraints all immediate");
    expect(
      await s.query("select space_id, version::int, floor::int from sync.spaces order by space_id"),
    ).toEqual([
      { space_id: "v", version: 5, floor: 5 },
      { space_id: "w", version: 2, floor: 2 },
    ]);
    expect(await faults(s)).toEqual([]);
  });
});

test("P1: sync.reset() keeps the version of a space of which all is gone", async () => {
  await s.run(
    "insert into beings (id, location_id) values ('e', 'empty')",
    "delete from beings where id = 'e'",
  );
  await s.query("select sync.reset()");
  expect(await versionOf(s, "empty")).toBe(3);
  await s.run("insert into beings (id, location_id) values ('e', 'empty')");
  expect(await versionOf(s, "empty")).toBe(4);
});
