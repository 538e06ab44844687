import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/database.js";
import { eventsSince, faults, inShort } from "../support/feed.js";
import { Session } from "../support/session.js";

const db = useDatabase();
let s: Session;

beforeAll(async () => {
  s = await Session.open(db);
  await s.run(
    "insert into beings (id, type) values ('mine', 'space'), ('victim', 'space')",
    "insert into intentions (id, location_id) values ('theirs', 'victim')",
  );
});

/** Adds lines to the transaction's set of touched rows, as any writer could. */
const forge = (lines: string) =>
  s.query("select set_config('sync.touched', current_setting('sync.touched') || $1, true)", [lines]);

test("P3: a forged line about a row that is there says what the table says", async () => {
  await s.run("begin", "insert into intentions (id, location_id) values ('own', 'mine')");
  await forge("victim\tintention\ttheirs\t\t\n");
  await s.run("commit");
  expect(inShort(await eventsSince(s, "victim", 2))).toEqual(["intention-updated theirs"]);
  expect(await faults(s)).toEqual([]);
});

test("P3: a forged line about a row that is not there is nothing", async () => {
  await s.run("begin", "insert into intentions (id, location_id) values ('own2', 'mine')");
  await forge("victim\tintention\tnobody\t\t\nnowhere\tnonsense\tx\t\t\n");
  await s.run("commit");
  expect(await s.query("select space_id from sync.spaces order by 1")).toEqual([
    { space_id: "mine" },
    { space_id: "victim" },
  ]);
  expect(await faults(s)).toEqual([]);
});

test("only TRUNCATE raises a floor", async () => {
  await s.run("begin", "insert into intentions (id, location_id) values ('own3', 'mine')");
  await forge("victim\ttruncate\tintention\t\t\n");
  await s.run("commit");
  expect(await s.value("select max(floor)::int from sync.spaces")).toBe(0);
  expect(await faults(s)).toEqual([]);
});
