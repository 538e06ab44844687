import { beforeEach, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { faults, recordOf } from "../support/relay/feed.js";

const db = useDatabase();
let s: Session | undefined;

/** Four beings and two messages in the space home, and a foreign key of the DBA's. Effects show at once, and are undone. */
async function given(foreignKey: string, ...statements: string[]): Promise<unknown[]> {
  const session = s ?? (await Session.open(db));
  s = session;
  return session.undone(async () => {
    await session.run(
      `insert into beings (id, type, owner_id, location_id) values
         ('home', 'space', null, 'home'), ('anna', 'guest', null, 'home'),
         ('pet', 'bot', 'anna', 'home'), ('flea', 'bot', 'pet', 'home')`,
      `insert into intentions (id, owner_id, location_id) values ('hello', 'anna', 'home'), ('bark', 'pet', 'away')`,
      "set constraints all immediate",
      "set constraints all deferred",
      foreignKey,
      // Version 1 is of this transaction: what comes must not look as if it had been there before.
      "update sync.spaces set xid = '3'",
      ...statements,
      "set constraints all immediate",
    );
    expect(await faults(session)).toEqual([]);
    return [...(await recordOf(session, "home")), ...(await recordOf(session, "away"))];
  });
}

beforeEach(() => {
  expect.hasAssertions();
});

test("P6: ON DELETE CASCADE to messages", async () => {
  const cascade =
    "alter table intentions add foreign key (owner_id) references beings (id) on delete cascade";
  expect(await given(cascade, "delete from beings where id in ('anna', 'pet')")).toEqual([
    "being anna 1..2 gone",
    "being flea 1..1",
    "being home 1..1",
    "being pet 1..2 gone",
    "intention hello 1..2 gone",
    "intention bark 1..2 gone",
  ]);
});

test("P6: ON DELETE CASCADE from being to being to being", async () => {
  const cascade = "alter table beings add foreign key (owner_id) references beings (id) on delete cascade";
  expect(await given(cascade, "delete from beings where id = 'anna'")).toEqual([
    "being anna 1..2 gone",
    "being flea 1..2 gone",
    "being home 1..1",
    "being pet 1..2 gone",
    "intention hello 1..1",
    "intention bark 1..1",
  ]);
});

test("P6: ON DELETE SET NULL and SET DEFAULT", async () => {
  const setNull =
    "alter table intentions add foreign key (owner_id) references beings (id) on delete set null";
  expect(await given(setNull, "delete from beings where id = 'anna'")).toEqual([
    "being anna 1..2 gone",
    "being flea 1..1",
    "being home 1..1",
    "being pet 1..1",
    "intention hello 1..2",
    "intention bark 1..1",
  ]);
  const leave = "alter table beings add foreign key (location_id) references beings (id) on delete set null";
  expect(await given(leave, "delete from beings where id = 'home'")).toEqual([
    "being anna 1..2 gone",
    "being flea 1..2 gone",
    "being home 1..2 gone",
    "being pet 1..2 gone",
    "intention hello 1..1",
    "intention bark 1..1",
  ]);
});

test("P6: ON UPDATE CASCADE of an owner", async () => {
  const cascade =
    "alter table intentions add foreign key (owner_id) references beings (id) on update cascade";
  expect(await given(cascade, "update beings set id = 'anne' where id = 'anna'")).toEqual([
    "being anna 1..2 gone",
    "being anne 2..2",
    "being flea 1..1",
    "being home 1..1",
    "being pet 1..1",
    "intention hello 1..2",
    "intention bark 1..1",
  ]);
});

test("P6: ON UPDATE CASCADE of a space that is in itself moves all that is in it", async () => {
  const cascade = "alter table beings add foreign key (location_id) references beings (id) on update cascade";
  expect(await given(cascade, "update beings set id = 'away' where id = 'home'")).toEqual([
    "being anna 1..2 gone",
    "being flea 1..2 gone",
    "being home 1..2 gone",
    "being pet 1..2 gone",
    "intention hello 1..1",
    "being anna 2..2",
    "being away 2..2",
    "being flea 2..2",
    "being pet 2..2",
    "intention bark 1..1",
  ]);
});

test("P6: a foreign key that is checked only at commit", async () => {
  const later =
    "alter table intentions add foreign key (owner_id) references beings (id) on delete cascade deferrable initially deferred";
  expect(
    await given(
      later,
      "insert into intentions (id, owner_id, location_id) values ('first', 'later', 'home')",
      "insert into beings (id, location_id) values ('later', 'home')",
      "delete from beings where id = 'anna'",
    ),
  ).toEqual([
    "being anna 1..2 gone",
    "being flea 1..1",
    "being home 1..1",
    "being later 2..2",
    "being pet 1..1",
    "intention first 2..2",
    "intention hello 1..2 gone",
    "intention bark 1..1",
  ]);
});
