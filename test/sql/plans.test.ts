import { beforeAll, describe, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { explainEverything, type Scan, scansOf } from "../support/postgres/plan.js";
import { Session } from "../support/postgres/session.js";

const db = useDatabase();
const SPACES = Array.from({ length: 200 }, (_, n) => `space-${n + 1}`);
let middle: unknown;
let versions: number[];

// 200,000 messages in 1,000 spaces, of which the giant has 50,000; 20,000 beings. Commits of 10,000 messages each.
beforeAll(async () => {
  const s = await Session.open(db);
  await s.run(
    // No statistics until the test asks for them.
    ...["public.beings", "public.intentions", "sync.changes", "sync.spaces"].map(
      (table) => `alter table ${table} set (autovacuum_enabled = off)`,
    ),
    "insert into beings (id, type, location_id) select 'space-' || n, 'space', 'space-' || n from generate_series(1, 999) n",
    "insert into beings (id, type) values ('giant', 'space')",
    "insert into beings (location_id) select 'space-' || n % 999 + 1 from generate_series(1, 19000) n",
  );
  for (let commit = 0; commit < 20; commit++) {
    await s.run(
      `insert into intentions (location_id, content, created_at)
       select case when n % 4 = 0 then 'giant' else 'space-' || n % 999 + 1 end, '["hello, how are you?"]',
         '2024-01-01Z'::timestamptz + (${commit} * 10000 + n) * interval '1 minute'
       from generate_series(1, 10000) n`,
    );
  }
  await s.query("update intentions set state = 'failed' where location_id = any($1)", [SPACES.slice(0, 100)]);
  await s.query("update beings set name = 'The ' || id where id = any($1)", [SPACES]);
  versions = (await s.value(
    `select array_agg(s.version::int order by w.n)
     from unnest($1::text[]) with ordinality w (id, n) join sync.spaces s on s.space_id = w.id`,
    [SPACES],
  )) as number[];
  middle = await s.value(
    "select message_id from intentions where location_id = 'giant' order by created_at offset 25000 limit 1",
  );
}, 300_000);

/** What the relay asks, and about how many rows of messages, beings and changes it may have read for it. */
const READS: [string, string, () => unknown[], number][] = [
  ["snapshot of the giant space", "select * from sync.snapshot($1, $2)", () => ["giant", 100], 110],
  ["snapshot of an ordinary space", "select * from sync.snapshot($1, $2)", () => ["space-7", 100], 200],
  ["snapshot of a space that there is not", "select * from sync.snapshot($1, $2)", () => ["none", 100], 0],
  [
    "the newest messages of the giant space",
    "select * from sync._list('intention', $1, $2)",
    () => ["giant", 100],
    110,
  ],
  [
    "older messages of the giant space",
    "select * from sync._list('intention', $1, $2, $3)",
    () => ["giant", 100, middle],
    110,
  ],
  [
    "the last change of 200 spaces",
    "select * from sync.changes_since($1, $2, 100)",
    () => [SPACES, versions.map((version) => version - 1)],
    400,
  ],
  ["nothing new in 200 spaces", "select * from sync.changes_since($1, $2, 100)", () => [SPACES, versions], 0],
  [
    "a large gap in the giant space",
    "select * from sync.changes_since($1, $2, $3)",
    () => [["giant"], [1], 100],
    101,
  ],
  [
    "a large gap in each of 200 spaces",
    "select * from sync.changes_since($1, $2, $3)",
    () => [SPACES, SPACES.map(() => 1), 10],
    5_000,
  ],
  ["a bare version", "select sync.resolve_cursor($1, $2)", () => ["giant", "5"], 0],
  ["a message ID", "select sync.resolve_cursor($1, $2)", () => ["giant", middle], 4],
  ["a time", "select sync.resolve_cursor($1, $2)", () => ["giant", "2024-03-01T12:00Z"], 2_100],
  ["a time before all", "select sync.resolve_cursor($1, $2)", () => ["giant", "2000-01-01"], 2_100],
  ["a time after all", "select sync.resolve_cursor($1, $2)", () => ["giant", "9999-01-01"], 10],
  ["a time in an ordinary space", "select sync.resolve_cursor($1, $2)", () => ["space-7", "2024-03-01"], 700],
  ["the current cursor", "select sync.current_cursor($1)", () => ["giant"], 0],
];

const GUARDED = ["public.intentions", "public.beings", "sync.changes", "sync.spaces"];
const rowsOf = (scans: Scan[], ...tables: string[]) =>
  scans.filter((scan) => tables.includes(scan.table)).reduce((sum, scan) => sum + scan.rows, 0);

describe.each(["without statistics", "after analyze"])("%s", (state) => {
  beforeAll(async () => {
    if (state === "after analyze") await (await Session.open(db)).run("analyze");
  });

  test.each(READS)(
    "%s is read by index, at the first call and at the tenth",
    async (_, text, values, most) => {
      const s = await Session.open(db);
      await explainEverything(s);
      for (let call = 1; call <= 10; call++) {
        const scans = await scansOf(s, text, values());
        expect(scans.length).toBeGreaterThan(0);
        const whole = scans.filter((scan) => scan.node === "Seq Scan" && GUARDED.includes(scan.table));
        const rows = rowsOf(scans, "public.intentions", "public.beings", "sync.changes");
        expect({ call, whole, tooMany: rows > most && rows }).toEqual({ call, whole: [], tooMany: false });
      }
    },
  );

  test("the commit of a message files it by index, in the giant space and in a new one", async () => {
    const s = await Session.open(db);
    await explainEverything(s);
    for (let call = 1; call <= 10; call++) {
      for (const space of ["giant", `new ${state} ${call}`]) {
        const scans = await scansOf(s, "insert into intentions (location_id) values ($1)", [space]);
        const guarded = scans.filter((scan) => GUARDED.includes(scan.table) && scan.node.endsWith("Scan"));
        expect(guarded.filter((scan) => scan.rows > 1 || scan.node === "Seq Scan")).toEqual([]);
      }
    }
  });
});
