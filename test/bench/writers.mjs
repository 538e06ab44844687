// One-row inserts, each its own commit: how many a second the triggers leave of those of a plain table (P12).
import { median, ratios, spread, verdict } from "./support/figures.mjs";
import { startSlowServer } from "./support/slow-disk.mjs";
import {
  besideAwakeRelay,
  CONTENT,
  createNotifyingTable,
  createPlainTable,
  emptyTables,
  pretendSleeper,
  TABLES,
} from "./support/tables.mjs";
import { commitRate, LOAD_GENERATOR } from "./support/write-load.mjs";

const WRITERS = [1, 8, 32];
const SPACES = [1, 1_000];
const CASES = WRITERS.flatMap((writers) => SPACES.map((spaces) => ({ writers, spaces })));
const SECONDS = 1;
/** The lowest share of the plain table's commits that is aimed at, by disk, writers and spaces. */
const AIMS = {
  "fsync 2 ms slower": { "32 in 1": 0.75, "8 in 1": 0.85, "32 in 1000": 0.85, "1 in 1000": 0.85 },
  "this disk": { "32 in 1": 0.6, "8 in 1000": 0.7 },
};

/** What is compared, plain first. */
const KINDS = {
  plain: { table: TABLES.plain },
  awake: { table: TABLES.triggers, relay: "awake" },
  asleep: { table: TABLES.triggers, relay: "asleep" },
  notifying: { table: "notifying.intentions" },
};

export async function run({ database, progress, quick = false, rounds = () => [0, 1, 2] }) {
  const slow = await startSlowServer();
  if (!slow) progress("no C compiler: no figures with a slow fsync");
  try {
    const disks = [await openDisk("this disk", database)];
    if (slow) disks.push(await openDisk("fsync 2 ms slower", await slow.createDatabase()));
    for (const round of rounds()) await measureRound(disks, round, quick, progress);
    return disks.map(report);
  } finally {
    await slow?.stop();
  }
}

async function openDisk(name, database) {
  const client = await database.connect();
  await createPlainTable(client);
  await createNotifyingTable(client);
  const runs = new Map(
    CASES.map((which) => [which, Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, []]))]),
  );
  return { name, url: database.url, client, runs };
}

async function measureRound(disks, round, quick, progress) {
  for (const disk of disks) {
    for (const which of quick ? CASES.slice(-1) : CASES) {
      const kinds = Object.keys(KINDS);
      for (const kind of round % 2 === 0 ? kinds : kinds.reverse()) {
        disk.runs.get(which)[kind].push(await measure(disk, which, kind));
      }
      const rates = Object.entries(disk.runs.get(which)).map(
        ([kind, all]) => `${kind} ${all.at(-1).toFixed(0)}`,
      );
      progress(`round ${round + 1}, ${disk.name}, ${nameOf(which)}: ${rates.join(", ")}`);
    }
  }
}

async function measure({ client, url }, { writers, spaces }, kind) {
  const { table, relay } = KINDS[kind];
  await emptyTables(client);
  await client.query("truncate notifying.intentions");
  if (relay === "asleep") await pretendSleeper(client);
  await client.query("checkpoint");
  const sql = `insert into ${table} (location_id, content) values ('space-' || :n, '${CONTENT}')`;
  const rate = () => commitRate({ url, sql, numbers: spaces, writers, seconds: SECONDS });
  return relay === "awake" ? besideAwakeRelay(url, client, rate) : rate();
}

const nameOf = ({ writers, spaces }) =>
  `${writers} writer${writers === 1 ? "" : "s"}, ${spaces === 1 ? "one space" : `${spaces.toLocaleString("en-US")} spaces`}`;

function report({ name, runs }) {
  const measured = CASES.filter((which) => runs.get(which).plain.length > 0);
  const count = runs.get(measured[0]).plain.length;
  const shareOf = (which, kind) => ratios(runs.get(which)[kind], runs.get(which).plain);
  return {
    title: `Writers, ${name}: one-row commits a second (${count} ${count === 1 ? "run" : "runs"} of ${SECONDS} s)`,
    head: [
      "writers",
      "plain",
      "relay awake",
      "relay asleep",
      "a trigger that always notifies",
      "awake over plain",
      "asleep over plain",
      "always over plain",
      "target",
    ],
    rows: measured.map((which) => {
      const aim = AIMS[name][`${which.writers} in ${which.spaces}`];
      const met = median(shareOf(which, "awake")) >= aim;
      return [
        nameOf(which),
        ...Object.keys(KINDS).map((kind) => spread(runs.get(which)[kind])),
        ...["awake", "asleep", "notifying"].map((kind) => spread(shareOf(which, kind), 2)),
        aim ? `awake at least ${aim}: ${verdict(met)}` : "",
      ];
    }),
    data: measured.flatMap((which) =>
      ["awake", "asleep", "notifying"].map((kind) => ({
        series: `${kind}, ${which.spaces === 1 ? "one space" : "1,000 spaces"}`,
        x: which.writers,
        y: median(shareOf(which, kind)),
      })),
    ),
    notes: [
      `The writers are ${LOAD_GENERATOR}, on the same cores. All tables start empty. Awake: a real relay records, on the same cores. Asleep: none is there, and commits are told that one listens.`,
      ...(name !== "this disk"
        ? ["A library that is preloaded into this Postgres sleeps 2 ms in fsync and fdatasync."]
        : []),
    ],
  };
}
