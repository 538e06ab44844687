// One-row inserts, each its own commit: how many a second the triggers leave of those of a plain table.
import { ratios, spread } from "./support/figures.mjs";
import { CONTENT, createPlainTable, emptyTables, inTurn, TABLES } from "./support/tables.mjs";

const ROUNDS = 3;
const SECONDS = 5;
const CASES = [
  { sessions: 1, spaces: 1_000 },
  { sessions: 1, spaces: 1 },
  { sessions: 8, spaces: 1_000 },
  { sessions: 8, spaces: 1 },
];

export async function run({ database, progress }) {
  const clients = await database.connectMany(Math.max(...CASES.map(({ sessions }) => sessions)));
  await createPlainTable(clients[0]);
  progress("warming up");
  for (const name of inTurn(0)) await measure(clients, { sessions: 8, spaces: 1_000 }, name);

  const runs = new Map(CASES.map((which) => [which, { plain: [], triggers: [] }]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const which of CASES) {
      for (const name of inTurn(round)) runs.get(which)[name].push(await measure(clients, which, name));
      const [plain, triggers] = ["plain", "triggers"].map((name) => runs.get(which)[name][round]);
      const rates = `${plain.rate.toFixed(0)} a second plain, ${triggers.rate.toFixed(0)} with triggers`;
      progress(`round ${round + 1} of ${ROUNDS}, ${nameOf(which)}: ${rates}`);
    }
  }
  return [report(runs)];
}

/** Commits a second, and how the last second compares with the first: a cost that grows with the table shows. */
async function measure(clients, { sessions, spaces }, name) {
  await emptyTables(clients[0]);
  await clients[0].query("checkpoint");
  const start = performance.now();
  const seconds = new Array(SECONDS).fill(0);
  const writers = clients.slice(0, sessions);
  await Promise.all(writers.map((client) => insertAgainAndAgain(client, name, spaces, start, seconds)));
  const commits = seconds.reduce((sum, count) => sum + count, 0);
  return { rate: commits / SECONDS, pace: seconds.at(-1) / seconds[0] };
}

async function insertAgainAndAgain(client, name, spaces, start, seconds) {
  const text = `insert into ${TABLES[name]} (location_id, content) values ($1, $2)`;
  for (;;) {
    const space = `space-${Math.floor(Math.random() * spaces)}`;
    // Prepared: planning would cost both tables the same, and hide a part of the difference.
    await client.query({ name, text, values: [space, CONTENT] });
    const second = Math.floor((performance.now() - start) / 1000);
    if (second >= SECONDS) return;
    seconds[second]++;
  }
}

const nameOf = ({ sessions, spaces }) =>
  `${sessions} session${sessions === 1 ? "" : "s"}, ${spaces === 1 ? "one space" : `${spaces.toLocaleString("en-US")} spaces`}`;

function report(runs) {
  return {
    title: `Writers: one-row commits a second (${ROUNDS} runs of ${SECONDS} s)`,
    head: [
      "writers",
      "plain",
      "triggers",
      "triggers over plain",
      "plain, last second over first",
      "triggers, last second over first",
    ],
    rows: CASES.map((which) => {
      const of = (name, key) => runs.get(which)[name].map((run) => run[key]);
      return [
        nameOf(which),
        spread(of("plain", "rate")),
        spread(of("triggers", "rate")),
        spread(ratios(of("triggers", "rate"), of("plain", "rate")), 2),
        spread(of("plain", "pace"), 2),
        spread(of("triggers", "pace"), 2),
      ];
    }),
    notes: [
      "The sessions are in one Node process, which uses a part of the same cores. No relay is connected; writers notify all the same. Both tables start empty.",
    ],
  };
}
