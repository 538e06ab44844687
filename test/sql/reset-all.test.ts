import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/database.js";
import { faults, recordOf } from "../support/feed.js";
import { Session } from "../support/session.js";

const db = useDatabase();
let s: Session;

beforeAll(async () => {
  s = await Session.open(db);
});

/** Runs a transaction whose list of touched rows is lost on the way; gives the error that refuses it. */
async function commitAfter(...statements: string[]) {
  for (const statement of ["begin", ...statements, "commit"]) {
    const { error } = await s.outcome(statement);
    if (error === undefined) continue;
    await s.run("rollback");
    return error;
  }
}

const insert = (id: string) => `insert into beings (id, location_id) values ('${id}', 'reset')`;

test.each(["reset all", "set local sync.touched = ''", "reset sync.touched", "set sync.touched = ''"])(
  "P3: %s between the statements of a transaction is refused at commit, and nothing is lost",
  async (reset) => {
    for (const after of ["select 1", insert("b")]) {
      const error = await commitAfter(insert("a"), reset, after);
      expect(error?.code).toBe("25000");
      expect(error?.message).toContain("its list of the rows that this transaction touched is gone");
      expect(error?.hint).toContain("RESET ALL");
    }
    expect(await recordOf(s, "reset")).toEqual([]);
    expect(await s.value("select count(*)::int from beings")).toBe(0);
    await s.run("reset all");
  },
);

test("P3: a big transaction with RESET ALL in it is refused, and leaves nothing in sync.touched", async () => {
  const many = (prefix: string) =>
    `insert into beings (id, location_id) select '${prefix}-' || n, 'reset' from generate_series(1, 100) n`;
  expect((await commitAfter(many("a"), "reset all"))?.code).toBe("25000");
  expect((await commitAfter(many("a"), "reset all", insert("b")))?.code).toBe("25000");
  expect((await commitAfter(insert("a"), "reset all", many("b")))?.code).toBeDefined();
  expect((await commitAfter(many("a"), "reset all", many("b")))?.code).toBeDefined();
  expect(await s.value("select count(*)::int from sync.touched")).toBe(0);
  expect(await faults(s)).toEqual([]);
});

test("P3: RESET ALL is refused at commit also where the first row is written again after it", async () => {
  const error = await commitAfter(
    insert("a"),
    insert("b"),
    "reset all",
    "update beings set name = 'again' where id = 'a'",
  );
  const lost = await faults(s);
  await s.run("delete from beings");
  expect({ code: error?.code, lost }).toEqual({ code: "25000", lost: [] });
});

test("P3: RESET ALL between transactions, and after set constraints all immediate, loses nothing", async () => {
  await s.run(insert("c"), "reset all", insert("d"), "discard all", insert("e"));
  await s.run("begin", insert("f"), "set constraints all immediate", "reset all", insert("g"), "commit");
  expect(await faults(s)).toEqual([]);
});
