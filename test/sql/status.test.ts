import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/database.js";
import { Session } from "../support/session.js";

const db = useDatabase();
let s: Session;

beforeAll(async () => {
  s = await Session.open(db);
});

const status = async () => (await s.query("table sync.status"))[0];

test("sync.status has one row, also when there is nothing yet", async () => {
  expect(await s.query("table sync.status")).toHaveLength(1);
  expect(await status()).toMatchObject({
    epoch: await s.value("select sync.epoch()"),
    spaces: "0",
    versions: "0",
    changes: "0",
    tombstones: "0",
    relays: "0",
    relays_asleep: "0",
    relay_lag: null,
    oldest_write: null,
  });
});

test("sync.status counts spaces, versions, changes, tombstones, and relays and who of them sleeps, and sees an open write", async () => {
  await s.run(
    "insert into beings (id, location_id) values ('a', 'one'), ('b', 'two')",
    "delete from beings where id = 'a'",
    "select sync.relay_seen('r1')",
    "select sync.relay_seen('r2')",
    "select sync.relay_gone('r2')",
    "select sync.relay_seen('r3', false)",
  );
  expect(await status()).toMatchObject({
    spaces: "2",
    versions: "3",
    changes: "2",
    tombstones: "1",
    relays: "2",
    relays_asleep: "1",
    relay_lag: expect.anything(),
  });
  const writer = await Session.open(db);
  await writer.run("begin", "insert into beings (id, location_id) values ('c', 'one')");
  expect((await status())?.oldest_write).not.toBeNull();
  await writer.run("rollback");
  expect((await status())?.oldest_write).toBeNull();
});

test("a relay's sign of life is one row, and removes those of relays long silent", async () => {
  await s.run("delete from sync.relays", "select sync.relay_seen('alive')", "select sync.relay_seen('dead')");
  const before = await s.value("select seen_at from sync.relays where relay_id = 'alive'");
  await s.run(
    "update sync.relays set seen_at = seen_at - interval '2 minutes' where relay_id = 'dead'",
    "select sync.relay_seen('alive')",
  );
  expect(await s.query("select relay_id, seen_at > $1 as later from sync.relays", [before])).toEqual([
    { relay_id: "alive", later: true },
  ]);
});

test("sync.authorize() allows everything, as it comes", async () => {
  const may = "select sync.authorize($1, $2, $3, $4)";
  expect(await s.value(may, [null, "read", "one", null])).toBe(true);
  expect(await s.value(may, [{ sub: "x" }, "delete", "one", { id: "a" }])).toBe(true);
});
