// P8: a transaction that is open in every space holds up nobody, and nobody deadlocks.
import { setTimeout as delay } from "node:timers/promises";
import { runsOf, spread, verdict } from "./support/figures.mjs";

const WRITERS = 12;
const MOVERS = 4;
const SPACES = 10;
const SPACES_OF_A_TRANSACTION = 3;
const WRITE_MS = 6_000;
const HELD_MS = 10_000;
/** Much less than the open transaction lasts, and more than a checkpoint's stall on a slow disk. */
const LONGEST_WAIT_MS = 1_000;

export async function run({ database, progress, rounds, quick }) {
  const size = quick ? { writeMs: 500, heldMs: 1_000 } : { writeMs: WRITE_MS, heldMs: HELD_MS };
  const [holder, ...clients] = await database.connectMany(1 + WRITERS + MOVERS);
  await createWhatMoves(holder);
  const runs = { alone: [], beside: [] };
  for (const round of rounds()) {
    runs.alone.push(await writeAll(clients, size));
    progress(`round ${round + 1}, nothing open: ${shortly(runs.alone[round])}`);
    runs.beside.push(await writeBesideOpenTransaction(holder, clients, size));
    progress(`round ${round + 1}, a transaction open in all spaces: ${shortly(runs.beside[round])}`);
  }
  return [report(runs, size)];
}

/** Two beings for each mover; of two movers that share spaces, one starts where the other goes. */
async function createWhatMoves(client) {
  for (let mover = 0; mover < MOVERS; mover++) {
    const [here, there] = placesOf(mover);
    await client.query("insert into public.beings (id, location_id) values ($1, $2), ($3, $4)", [
      `mover-${mover}-a`,
      here,
      `mover-${mover}-b`,
      there,
    ]);
  }
}

function placesOf(mover) {
  const pair = [spaceOf(2 * (mover >> 1)), spaceOf(2 * (mover >> 1) + 1)];
  return mover % 2 === 0 ? pair : pair.reverse();
}

const spaceOf = (n) => `space-${n % SPACES}`;

async function writeBesideOpenTransaction(holder, clients, size) {
  await holder.query("begin");
  for (let n = 0; n < SPACES; n++) await insertInto(holder, spaceOf(n));
  const held = delay(size.heldMs).then(() => holder.query("commit"));
  const counts = await writeAll(clients, size);
  await held;
  return counts;
}

/** Everybody at once for writeMs; whoever is held up by the open transaction comes back later, and is seen. */
async function writeAll(clients, { writeMs }) {
  const counts = { commits: 0, deadlocks: 0, refused: 0, failed: 0, longestCommit: 0, longestTransaction: 0 };
  const end = performance.now() + writeMs;
  await Promise.all(
    clients.map(async (client, n) => {
      const work = n < WRITERS ? writeSomewhere : swap(n - WRITERS);
      while (performance.now() < end) await transaction(client, work, counts);
    }),
  );
  return counts;
}

async function transaction(client, work, counts) {
  const begun = performance.now();
  try {
    await client.query("begin");
    await work(client);
    const committing = performance.now();
    await client.query("commit");
    counts.longestCommit = Math.max(counts.longestCommit, performance.now() - committing);
    counts.commits++;
  } catch (error) {
    if (error.code === "40P01") counts.deadlocks++;
    else if (error.code === "40001") counts.refused++;
    else counts.failed++;
    await client.query("rollback");
  }
  counts.longestTransaction = Math.max(counts.longestTransaction, performance.now() - begun);
}

async function writeSomewhere(client) {
  for (let n = 0; n < SPACES_OF_A_TRANSACTION; n++) {
    await insertInto(client, spaceOf(Math.floor(Math.random() * SPACES)));
  }
}

const insertInto = (client, space) =>
  client.query({
    name: "insert",
    text: "insert into public.intentions (location_id, content) values ($1, $2)",
    values: [space, '["hello"]'],
  });

/** One being goes there, the other comes from there, in one transaction: then the other way round. */
function swap(mover) {
  let [there, here] = placesOf(mover);
  return async (client) => {
    [here, there] = [there, here];
    for (const [being, space] of [
      ["a", there],
      ["b", here],
    ]) {
      await client.query({
        name: "move",
        text: "update public.beings set location_id = $2 where id = $1",
        values: [`mover-${mover}-${being}`, space],
      });
    }
  };
}

const shortly = ({ commits, deadlocks, refused, failed, longestCommit }) =>
  `${commits} commits, ${deadlocks} deadlocks, ${refused} refused, ${failed} failed, longest commit ${longestCommit.toFixed(0)} ms`;

function report(runs, { writeMs, heldMs }) {
  const row = (what, rounds) => {
    const all = (key) => rounds.map((counts) => counts[key]);
    const sum = (key) => all(key).reduce((total, count) => total + count, 0);
    const clean = sum("deadlocks") + sum("refused") + sum("failed") === 0;
    const met = clean && Math.max(...all("longestTransaction")) < LONGEST_WAIT_MS;
    return [
      what,
      spread(all("commits")),
      sum("deadlocks"),
      sum("refused"),
      sum("failed"),
      spread(all("longestCommit")),
      spread(all("longestTransaction")),
      `no fault, below ${LONGEST_WAIT_MS} ms: ${verdict(met)}`,
    ];
  };
  return {
    title: `Waiting: ${WRITERS} writers over ${SPACES} spaces and ${MOVERS} movers (${runsOf(runs.alone)} of ${writeMs / 1000} s)`,
    head: [
      "beside them",
      "commits",
      "deadlocks",
      "refused",
      "failed",
      "longest commit, ms",
      "longest transaction, ms",
      "target",
    ],
    rows: [
      row("nothing", runs.alone),
      row(
        `a transaction that wrote in all ${SPACES} spaces and stays open for ${heldMs / 1000} s`,
        runs.beside,
      ),
    ],
    notes: [
      `A writer's transaction inserts in ${SPACES_OF_A_TRANSACTION} random spaces, in random order; a mover's takes one being from space A to B and another from B to A, and its partner does the opposite. Read committed. Faults are those of all runs.`,
    ],
  };
}
