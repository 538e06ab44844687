// What the triggers add to a statement of one row, its commit included: time, as a ratio to the same table without.
import { median, ratios, spread, verdict } from "./support/figures.mjs";
import {
  besideAwakeRelay,
  CONTENT,
  createPlainTable,
  emptyTables,
  inTurn,
  TABLES,
} from "./support/tables.mjs";
import { commitRate, LOAD_GENERATOR } from "./support/write-load.mjs";

const CASES = [
  { writers: 8, spaces: 1_000 },
  { writers: 8, spaces: 1 },
  { writers: 1, spaces: 1_000 },
  { writers: 1, spaces: 1 },
];
/** Of each writer, so that what its session compiles and plans at first is little of it. */
const ROWS = 1_000;
const QUICK_ROWS = 50;
/** Of one writer in many spaces. */
const AIMS = { insert: 1.4, update: 1.6, delete: 1.3 };

/** Each over the rows that the one before has left, so that the three have the same number. */
const OPERATIONS = {
  insert: (table, spaces) =>
    `insert into ${table} (id, location_id, content)
     values ('m-' || nextval('plain.row_number'), 'space-' || :n % ${spaces}, '${CONTENT}')`.replace(
      /\s+/g,
      " ",
    ),
  update: (table) =>
    `update ${table} set content = jsonb_build_array(random()) where id = (select 'm-' || nextval('plain.row_number'))`,
  delete: (table) => `delete from ${table} where id = (select 'm-' || nextval('plain.row_number'))`,
};

export async function run({ database, progress, quick = false, rounds = () => [0, 1, 2] }) {
  const client = await database.connect();
  await createPlainTable(client);
  await client.query("create sequence plain.row_number");
  const rows = quick ? QUICK_ROWS : ROWS;
  progress("warming up");
  for (const name of inTurn(0)) await measure(client, database.url, CASES[0], name, QUICK_ROWS);

  const runs = new Map(CASES.map((which) => [which, { plain: [], triggers: [] }]));
  for (const round of rounds()) {
    for (const which of CASES) {
      for (const name of inTurn(round)) {
        runs.get(which)[name].push(await measure(client, database.url, which, name, rows));
      }
      const { plain, triggers } = runs.get(which);
      const [ratio] = ratios([triggers.at(-1).insert], [plain.at(-1).insert]);
      progress(`round ${round + 1}, ${nameOf(which)}: insert ${ratio.toFixed(2)} times`);
    }
  }
  return [report(runs)];
}

/** Milliseconds of a statement of a writer, for each operation. */
async function measure(client, url, which, name, rows) {
  await emptyTables(client);
  const times = (wakeUp) => measureEach(client, url, which, name, rows, wakeUp);
  return name === "triggers" ? besideAwakeRelay(url, client, times) : times(() => {});
}

async function measureEach(client, url, { writers, spaces }, name, rows, wakeUp) {
  const times = {};
  for (const [operation, sql] of Object.entries(OPERATIONS)) {
    await client.query("alter sequence plain.row_number restart");
    await client.query("checkpoint");
    await wakeUp();
    const statement = sql(TABLES[name], spaces);
    const rate = await commitRate({
      url,
      sql: statement,
      numbers: spaces,
      writers,
      transactions: rows * writers,
    });
    times[operation] = (1000 * writers) / rate;
  }
  const { rows: left } = await client.query(`select from ${TABLES[name]} limit 1`);
  if (left.length > 0) throw new Error(`the deletes have not found every row of ${TABLES[name]}`);
  return times;
}

const nameOf = ({ writers, spaces }) =>
  `${writers} writer${writers === 1 ? "" : "s"}, ${spaces === 1 ? "one space" : `${spaces.toLocaleString("en-US")} spaces`}`;

function report(runs) {
  const measured = CASES.flatMap((which) =>
    Object.keys(OPERATIONS).map((operation) => {
      const of = (name) => runs.get(which)[name].map((times) => times[operation]);
      return { which, operation, plain: of("plain"), triggers: of("triggers") };
    }),
  );
  const count = runs.get(CASES[0]).plain.length;
  return {
    title: `Triggers: a statement of one row and its commit (${count} ${count === 1 ? "run" : "runs"})`,
    head: ["statement", "plain, ms", "triggers, ms", "ratio", "target"],
    rows: measured.map(({ which, operation, plain, triggers }) => {
      const pairs = ratios(triggers, plain);
      const target = which.writers === 1 && which.spaces > 1 ? AIMS[operation] : null;
      return [
        `${operation}, ${nameOf(which)}`,
        spread(plain, 2),
        spread(triggers, 2),
        spread(pairs, 2),
        target ? `at most ${target}: ${verdict(median(pairs) <= target)}` : "",
      ];
    }),
    data: measured.map(({ which, operation, plain, triggers }) => ({
      series: nameOf(which),
      x: operation,
      y: median(ratios(triggers, plain)),
    })),
    notes: [
      `The writers are ${LOAD_GENERATOR}, on the same cores. Plain: the same table, checks and indexes without Spacefeed's triggers. A relay is awake. Both tables start empty.`,
    ],
  };
}
