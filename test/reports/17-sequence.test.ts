import { beforeEach, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { faults } from "../support/relay/feed.js";

const db = useDatabase();
let s: Session;

beforeEach(async () => {
  s = await Session.open(db);
});

/** Rows that come with their names: a copy, logical replication, a load of the data alone. */
const come = (...numbers: number[]) => [
  "set local session_replication_role = replica",
  `insert into intentions (id, message_id, location_id)
   select 'came' || n, 'msg_' || n, 'hall' from unnest(array[${numbers}]) n`,
  "set local session_replication_role = origin",
];
const say = () =>
  s.value("insert into intentions (location_id) values ('hall') returning substr(message_id, 5)::int");

test.each([
  ["into a new database", [], [1, 2, 3, 5, 8]],
  ["after others", ["insert into intentions (location_id) values ('hall'), ('hall')"], [3, 4, 1000]],
])(
  "17: after sync.reset() the next message has a number that is free, where rows came with theirs %s",
  async (_, before, came) => {
    await s.undone(async () => {
      await s.run(...before, ...come(...came));
      await s.query("select sync.reset()");
      expect(await say()).toBe(Math.max(...came) + 1);
      expect(await say()).toBe(Math.max(...came) + 2);
      await s.run("set constraints all immediate");
      expect(await faults(s)).toEqual([]);
    });
  },
);

test("17: sync.reset() never takes the sequence back", async () => {
  await s.undone(async () => {
    const last = Number(await say());
    await s.run("delete from intentions", "select sync.reset()");
    expect(await say()).toBe(last + 1);
    await s.run("delete from intentions", ...come(1), "select sync.reset()");
    expect(await say()).toBe(last + 2);
  });
});
