// One statement over many rows: what the triggers add, and whether a row costs more when there are more.
import { median, ratios, spread, verdict } from "./support/figures.mjs";
import { createPlainTable, emptyTables, inTurn, TABLES } from "./support/tables.mjs";

const FEW = { rows: 10_000, spaces: 1, bytes: 1_000 };
const MANY = { ...FEW, rows: 100_000 };
const WIDE = { ...FEW, spaces: 1_000 };
const SMALL = { ...FEW, bytes: 200 };
const CASES = [FEW, MANY, WIDE, SMALL];
const HIGHEST_RATIO = 1.8;
/** What a row may cost more in ten times as many, beside the plain table, whose rows cost more then too. */
const HIGHEST_GROWTH = 1.25;

const OPERATIONS = {
  // Each message is another, as messages are.
  insert: (table, { rows, spaces, bytes }) =>
    `insert into ${table} (location_id, owner_id, content)
     select 'space-' || n % ${spaces}, 'ada',
       jsonb_build_array(jsonb_build_object('type', 'text', 'text', repeat(md5(n::text), ${Math.round(bytes / 32)})))
     from generate_series(1, ${rows}) n`,
  update: (table) => `update ${table} set content = content || '"!"'`,
  delete: (table) => `delete from ${table}`,
};

export async function run({ database, progress, quick = false, rounds = () => [0, 1, 2] }) {
  const client = await database.connect();
  await createPlainTable(client);
  progress("warming up");
  await measureCase(client, FEW, 0);

  const cases = quick ? [FEW] : CASES;
  const runs = new Map(cases.map((which) => [which, []]));
  for (const round of rounds()) {
    for (const which of cases) {
      const times = await measureCase(client, which, round);
      runs.get(which).push(times);
      progress(`round ${round + 1}, ${nameOf(which)}: insert ${shortly(times.insert)}`);
    }
  }
  return quick ? [costs(runs)] : [costs(runs), growth(runs)];
}

/** Milliseconds of each operation on each table: {insert: {plain, triggers}, …}. */
async function measureCase(client, which, round) {
  await emptyTables(client);
  const times = {};
  for (const [operation, sql] of Object.entries(OPERATIONS)) {
    times[operation] = {};
    for (const name of inTurn(round)) {
      times[operation][name] = await measureStatement(client, sql(TABLES[name], which));
    }
  }
  return times;
}

/** The commit is in it: the triggers do half of their work there. */
async function measureStatement(client, sql) {
  await client.query("checkpoint");
  const start = performance.now();
  await client.query(sql);
  return performance.now() - start;
}

const nameOf = ({ rows, spaces, bytes }) =>
  `${rows.toLocaleString("en-US")} of ${bytes === 1_000 ? "1 KB" : `${bytes} B`} in ${spaces === 1 ? "one space" : `${spaces.toLocaleString("en-US")} spaces`}`;
const shortly = ({ plain, triggers }) =>
  `${plain.toFixed(0)} ms plain, ${triggers.toFixed(0)} ms with triggers`;
const timesOf = (runs, which, operation, name) => runs.get(which).map((times) => times[operation][name]);

const countOf = (runs) => {
  const { length } = runs.get(FEW);
  return `${length} ${length === 1 ? "run" : "runs"}`;
};

function costs(runs) {
  const rows = [...runs.keys()].flatMap((which) =>
    Object.keys(OPERATIONS).map((operation) => {
      const plain = timesOf(runs, which, operation, "plain");
      const triggers = timesOf(runs, which, operation, "triggers");
      const pairs = ratios(triggers, plain);
      const hasTarget = which === FEW || which === MANY;
      return [
        `${operation} ${nameOf(which)}`,
        spread(plain),
        spread(triggers),
        ((median(triggers) * 1000) / which.rows).toFixed(1),
        spread(pairs, 2),
        hasTarget ? `at most ${HIGHEST_RATIO}: ${verdict(median(pairs) <= HIGHEST_RATIO)}` : "",
      ];
    }),
  );
  return {
    title: `Bulk: many rows in one statement (${countOf(runs)})`,
    head: ["statement", "plain, ms", "triggers, ms", "triggers, µs a row", "ratio", "target"],
    rows,
    data: [...runs.keys()].flatMap((which) =>
      Object.keys(OPERATIONS).map((operation) => ({
        series: operation,
        x: nameOf(which),
        y: median(
          ratios(timesOf(runs, which, operation, "triggers"), timesOf(runs, which, operation, "plain")),
        ),
      })),
    ),
    notes: [
      "A plain DELETE only marks rows: with the triggers it also writes a tombstone for each.",
      "Plain: the same table, checks and indexes without Spacefeed's triggers. Both start empty; a checkpoint before each statement; the commit is included.",
    ],
  };
}

function growth(runs) {
  const rows = Object.keys(OPERATIONS).map((operation) => {
    const of = (name) => {
      const more = ratios(timesOf(runs, MANY, operation, name), timesOf(runs, FEW, operation, name));
      return more.map((ratio) => (ratio * FEW.rows) / MANY.rows);
    };
    const beside = ratios(of("triggers"), of("plain"));
    return [
      operation,
      spread(of("plain"), 2),
      spread(of("triggers"), 2),
      spread(beside, 2),
      `at most ${HIGHEST_GROWTH}: ${verdict(median(beside) <= HIGHEST_GROWTH)}`,
    ];
  });
  return {
    title: `Bulk: the cost of a row at 100,000 rows over its cost at 10,000 (${countOf(runs)})`,
    head: ["statement", "plain", "triggers", "triggers beside plain", "target"],
    rows,
  };
}
