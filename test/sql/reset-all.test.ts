import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { faults, recordOf, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);

const insert = (id: string, spaceId: string) =>
  `insert into beings (id, location_id) values ('${id}', '${spaceId}')`;
const many = (prefix: string, spaceId: string) =>
  `insert into beings (id, location_id) select '${prefix}-' || n, '${spaceId}' from generate_series(1, 100) n`;

test.each([
  "reset all",
  "set local sync.recorded = 'nonsense'",
  "set session authorization default",
  "reset session authorization",
])("P3: %s between the statements of a transaction loses nothing, and it is one version", async (reset) => {
  for (const [n, write] of [insert, many].entries()) {
    const space = `${reset} ${n}`.replaceAll("'", "");
    await s.run("begin", write(`${space}-a`, space), reset, write(`${space}-b`, space), reset, "commit");
    expect(await versionOf(s, space)).toBe(1);
    expect(await recordOf(s, space)).toHaveLength(write === insert ? 2 : 200);
  }
  expect(await s.value("select count(*)::int from sync.notes")).toBe(0);
  expect(await faults(s)).toEqual([]);
});

test("P3: RESET ALL after set constraints all immediate, and DISCARD ALL between transactions, lose nothing", async () => {
  await s.run(insert("c", "reset"), "discard all", insert("d", "reset"));
  await s.run("begin", insert("e", "reset"), "set constraints all immediate", "reset all");
  await s.run(insert("f", "reset"), "commit");
  expect(await recordOf(s, "reset")).toEqual([
    "being c 1..1",
    "being d 2..2",
    "being e 3..3",
    "being f 3..3",
  ]);
  expect(await faults(s)).toEqual([]);
});
