import { expect, test } from "vitest";
import { awake } from "../support/postgres/awake.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session, useSession } from "../support/postgres/session.js";

const db = useDatabase();
const s = useSession(db);

const status = async () => (await s.query("table sync.status"))[0];

test("sync.status has one row, also when there is nothing yet", async () => {
  expect(await s.query("table sync.status")).toEqual([
    {
      epoch: await s.value("select sync.epoch()"),
      spaces: "0",
      versions: "0",
      changes: "0",
      tombstones: "0",
      relays: "0",
      recorder: null,
      awake: false,
      oldest_write: null,
      notify_queue_usage: 0,
      notes: "0",
      waiting: [],
    },
  ]);
});

test("sync.status counts spaces and versions at once, changes and tombstones as of the last vacuum, and sees an open write", async () => {
  await s.run(
    "insert into beings (id, location_id) values ('a', 'one'), ('b', 'two')",
    "delete from beings where id = 'a'",
  );
  expect(await status()).toMatchObject({ spaces: "2", versions: "3" });
  await s.run("vacuum analyze sync.changes");
  expect(await status()).toMatchObject({ changes: "2", tombstones: "1" });
  const writer = await Session.open(db);
  await writer.run("begin", "insert into beings (id, location_id) values ('c', 'one')");
  expect((await status())?.oldest_write).not.toBeNull();
  await writer.run("rollback");
  expect((await status())?.oldest_write).toBeNull();
});

test("sync.status says which relays listen, who of them records, and whether it is awake", async () => {
  const [first, second] = [
    await Session.open(db, "spacefeed listener"),
    await Session.open(db, "spacefeed listener"),
  ];
  await Session.open(db, "spacefeed"); // another connection of a relay
  expect(await status()).toMatchObject({ relays: "2", recorder: null, awake: false });
  expect(await second.value("select sync.lead(true)")).toBe(true);
  expect(await first.value("select sync.lead(true)")).toBe(false);
  expect(await status()).toMatchObject({ recorder: second.pid, awake: false });
  await second.run(awake);
  expect(await status()).toMatchObject({ recorder: second.pid, awake: true });
  await second.run("select sync.relay_seen(false)", "select sync.lead(false)");
  expect(await status()).toMatchObject({ recorder: null, awake: false });
});

test("sync.status counts the notes that wait, and names at most ten of their spaces", async () => {
  await s.run(awake);
  await s.run("insert into beings (id, location_id) select 'n' || n, 's' || n from generate_series(1, 12) n");
  const { notes, waiting } = (await status()) as { notes: string; waiting: string[] };
  expect(notes).toBe("12");
  expect(waiting).toHaveLength(10);
  for (const space of waiting) expect(space).toMatch(/^s\d+$/);
  await s.run("select sync.relay_seen(false)", "select sync.record()");
  expect(await status()).toMatchObject({ notes: "0", waiting: [] });
});

test("sync.authorize() allows everything, as it comes", async () => {
  const may = "select sync.authorize($1, $2, $3, $4)";
  expect(await s.value(may, [null, "read", "one", null])).toBe(true);
  expect(await s.value(may, [{ sub: "x" }, "delete", "one", { id: "a" }])).toBe(true);
});
