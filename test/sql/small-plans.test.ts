import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { explainEverything, scansOf } from "../support/postgres/plan.js";
import { Session } from "../support/postgres/session.js";
import { faults } from "../support/relay/feed.js";

const db = useDatabase();

test.each(["intentions", "beings"])(
  "a bulk of %s reads each of its rows once, also with a plan of when the table was tiny",
  async (table) => {
    const s = await Session.open(db);
    const space = `tiny ${table}`;
    await s.run(
      `alter table ${table} set (autovacuum_enabled = off)`,
      `insert into ${table} (id, location_id) values ('one', '${space}'), ('two', '${space}')`,
      `vacuum analyze ${table}`,
      ...Array.from({ length: 9 }, (_, n) => `update ${table} set name = '${n}'`),
    );
    await explainEverything(s);
    await s.run(
      "begin",
      `insert into ${table} (id, location_id) select 'many-' || n, '${space}' from generate_series(1, 500) n`,
    );
    const scans = await scansOf(s, "commit");
    expect(scans.filter((scan) => scan.table === `public.${table}`)).toEqual([
      { node: "Index Scan", table: `public.${table}`, rows: 500 },
    ]);
    expect(scans.filter((scan) => scan.table === "")).toEqual([]);
    expect(await faults(s)).toEqual([]);
  },
);
