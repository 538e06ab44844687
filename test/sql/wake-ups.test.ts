import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";

const db = useDatabase();
const s = useSession(db);
let heard: (string | undefined)[] = [];

beforeAll(async () => {
  s.client.on("notification", ({ payload }) => heard.push(payload));
  await s.run("listen spacefeed", "select sync.relay_seen()");
});

/** What is heard of a session's own transactions: it comes before the answer to its next statement. */
async function wakeUps(...statements: string[]) {
  heard = [];
  await s.run(...statements, "select 1");
  return heard.sort();
}

const insert = (id: string, spaceId: string) =>
  `insert into beings (id, location_id) values ('${id}', '${spaceId}')`;

test("a commit wakes the relays once for each space, with its version and nothing else", async () => {
  expect(await wakeUps(insert("a", "one two"))).toEqual(["1 one two"]);
  expect(
    await wakeUps(
      "begin",
      insert("b", "one two"),
      insert("c", "x"),
      "update beings set name = 'n'",
      "commit",
    ),
  ).toEqual(["1 x", "2 one two"]);
  expect(await wakeUps("update beings set location_id = 'y' where id = 'c'")).toEqual(["1 y", "2 x"]);
});

test("P4: what is rolled back, or changes nothing, wakes nobody", async () => {
  expect(await wakeUps("begin", insert("d", "x"), "set constraints all immediate", "rollback")).toEqual([]);
  expect(await wakeUps("update beings set name = name", "delete from beings where false")).toEqual([]);
});

test("TRUNCATE and sync.reset() wake the relays for each space", async () => {
  expect(await wakeUps("truncate beings")).toEqual(["2 y", "3 one two"]);
  expect(await wakeUps("select sync.reset()")).toEqual(["3 x", "3 y", "4 one two"]);
});

test("P10: the longest name of a space fits into a wake-up", async () => {
  const name = "🌍".repeat(255);
  expect(await wakeUps(insert("long", name))).toEqual([`1 ${name}`]);
});
