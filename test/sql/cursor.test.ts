import { beforeAll, describe, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { Session, useSession } from "../support/postgres/session.js";

const db = useDatabase();
const s = useSession(db);
let epoch: string;

const resolve = (since: unknown, spaceId = "r") =>
  s.value("select sync.resolve_cursor($1, $2)::int", [spaceId, since]);
const say = (id: string, createdAt: string, spaceId = "r") =>
  s.value("insert into intentions (id, location_id, created_at) values ($1, $2, $3) returning message_id", [
    id,
    spaceId,
    createdAt,
  ]);

// Version 1 is the space, 2 to 5 are messages of 10, 11, 12 and 13 o'clock, 6 is an update of the first.
beforeAll(async () => {
  epoch = (await s.value("select sync.epoch()")) as string;
  await s.run("insert into beings (id, type) values ('r', 'space')");
  for (const hour of [10, 11, 12, 13]) await say(`at-${hour}`, `2024-03-01T${hour}:00Z`);
  await s.run("update intentions set name = 'x' where id = 'at-10'");
});

describe("a cursor or a bare version", () => {
  test.each([0, 1, 6])("%i is itself", async (version) => {
    expect(await resolve(`${epoch}.${version}`)).toBe(version);
    expect(await resolve(`${version}`)).toBe(version);
  });

  test("P11: above the version of the space, as after a restore, it is null", async () => {
    for (const since of ["7", "999999999999999999", `${epoch}.7`]) expect(await resolve(since)).toBeNull();
  });

  test("P11: of another epoch it is null", async () => {
    expect(await resolve(`${epoch.replace(/./g, (c) => (c === "0" ? "1" : "0"))}.3`)).toBeNull();
  });

  test("the cursors that the read functions give resolve to their versions", async () => {
    for (const read of [
      "select cursor from sync.snapshot('r')",
      "select sync.current_cursor('r')",
      "select cursor from sync.changes_since('{r}', '{2}', 10)",
    ]) {
      expect(await resolve(await s.value(read))).toBe(6);
    }
  });

  test("of a space in which nothing has been it is 0, or null", async () => {
    expect([await resolve("0", "never"), await resolve("1", "never")]).toEqual([0, null]);
  });

  test("P11: below the floor it is null", async () => {
    await s.run("insert into beings (id, location_id) values ('floor', 'floor')");
    await s.run("delete from beings where id = 'floor'");
    await s.query("select sync.prune('0')");
    expect([await resolve("1", "floor"), await resolve(`${epoch}.2`, "floor")]).toEqual([null, 2]);
  });
});

describe("a message ID", () => {
  test("is two versions before that in which the message came, also after an update", async () => {
    const ids = await s.query(
      "select message_id from intentions where location_id = 'r' order by created_at",
    );
    expect([await resolve(ids[0]?.message_id), await resolve(ids[3]?.message_id)]).toEqual([0, 3]);
  });

  test("is null where there is no such message in the space, or no longer", async () => {
    const other = await say("elsewhere", "2024-03-01Z", "elsewhere");
    expect(await resolve(other)).toBeNull();
    expect(await resolve(other, "elsewhere")).toBe(0);
    expect(await resolve("msg_987654")).toBeNull();
    await s.run("delete from intentions where id = 'elsewhere'");
    expect(await resolve(other, "elsewhere")).toBeNull();
  });

  test("of a message that has moved here is two versions before that in which it came", async () => {
    const id = await say("moving", "2024-03-01Z", "before-move");
    await s.run("insert into beings (id, location_id) values ('x', 'after-move')");
    await s.run("update intentions set location_id = 'after-move' where id = 'moving'");
    expect([await resolve(id, "before-move"), await resolve(id, "after-move")]).toEqual([null, 0]);
  });
});

describe("an ISO time", () => {
  test.each([
    ["2024-03-01T10:30Z", 0],
    ["2024-03-01T10:30", 0],
    ["2024-03-01 10:30", 0],
    ["2024-03-01T11:00:00Z", 0],
    ["2024-03-01T11:00:00.000001Z", 1],
    ["2024-03-01T16:00:01+05", 1],
    ["2024-03-01T16:30:01+05:30", 1],
    ["2024-03-01 01:30:00-1000", 1],
    ["2024-03-01T12:00:00.5Z", 2],
    ["2024-03-02", 3],
    ["9999-12-31", 3],
  ])("%s is version %i: all that was said from then on is above it", async (since, version) => {
    await s.undone(async () => {
      await s.run("set local timezone = 'Asia/Tokyo'");
      expect(await resolve(since)).toBe(version);
    });
  });

  test.each(["2024-03-01", "2020-01-01T00:00:00Z"])(
    "P3: %s is before all messages: only a snapshot has what happened before the first",
    async (since) => {
      expect(await resolve(since)).toBeNull();
    },
  );

  test("P3: nothing is missed that was said after it and committed before what was said before it", async () => {
    await say("long", "2024-03-01T10:30Z", "late-commit");
    await say("after", "2024-03-01T13:30Z", "late-commit");
    await say("before", "2024-03-01T12:30Z", "late-commit");
    expect(await resolve("2024-03-01T13:00Z", "late-commit")).toBe(0);
    expect(await resolve("2024-03-01T14:00Z", "late-commit")).toBe(0);
  });

  test("is null where nothing was ever said", async () => {
    await s.run("insert into beings (id, location_id) values ('silent', 'silent')");
    expect(await resolve("2024-03-01", "silent")).toBeNull();
    expect(await resolve("2024-03-01", "never")).toBeNull();
  });
});

describe("anything else is refused as invalid_parameter_value", () => {
  test.each([
    "",
    " ",
    "abc",
    "-1",
    "+3",
    "3 ",
    " 3",
    "3\n",
    "1.5",
    "9999999999999999999",
    "msg_",
    "msg_x",
    "MSG_1",
    "msg_1 ",
    "0123456789abcdef.",
    "0123456789abcdef.-1",
    "0123456789abcdef.1.2",
    "0123456789ABCDEF.1",
    "now",
    "infinity",
    "2024-03",
    "2024-3-1",
    "2024-03-01T",
    "2024-03-01Z",
    "2024-03-01T10",
    "2024-03-01T10:00 Europe/Berlin",
    "2024-03-01T10:00Z; select 1",
    "20240301T1000Z",
    "1' or '1'='1",
  ])("%j", async (since) => {
    expect(await s.refusal("select sync.resolve_cursor('r', $1)", [since])).toBe("22023");
  });

  test.each([
    "2024-13-01",
    "2024-02-30",
    "0000-01-01",
    "2024-03-01T25:00Z",
    "2024-03-01T10:61",
    "2024-03-01T10:00+99:99",
  ])("%j, which has the form of a time", async (since) => {
    expect(await s.refusal("select sync.resolve_cursor('r', $1)", [since])).toBe("22023");
  });
});

test("P3: a message ID is that of a message, and not of another one that had its row's ID before", async () => {
  const other = await Session.open(db);
  await s.run(
    "insert into intentions (id, location_id) values ('reborn', 'lives')",
    "delete from intentions where id = 'reborn'",
  );
  await other.run("begin");
  await other.query("select from sync.spaces where space_id = 'lives' for update"); // so that it waits to be recorded
  await s.run("insert into intentions (id, location_id) values ('reborn', 'lives')");
  const message = await s.value("select message_id from intentions where id = 'reborn'");
  expect(await s.value("select sync.resolve_cursor('lives', $1)", [message])).toBeNull();
  await other.run("rollback");
  await s.run("select sync.record()");
  expect(await s.value("select sync.resolve_cursor('lives', $1)::int", [message])).toBe(1);
});
