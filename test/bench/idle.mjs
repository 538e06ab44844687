// Clients that wait: the memory of the server for each, and what heartbeats cost it.
import { setTimeout as delay } from "node:timers/promises";
import { median, runsOf, spread, verdict } from "./support/figures.mjs";
import { lines } from "./support/plot.mjs";
import { cpuOf, memoryOf, mostOpenFiles } from "./support/process.mjs";
import { compare, HONO, NCHAN, OURS, startRival } from "./support/rivals.mjs";
import { startSwarm } from "./support/swarm.mjs";

const SERVERS = [OURS, "bare Node, http", NCHAN, HONO];
/** What a process has open besides its clients; more clients than the limit allows are left out. */
const SPARE_FILES = 500;
const COUNTS = [1_000, 5_000, 10_000];
/** Where the heartbeats are measured. */
const HEARTBEATS_AT = 5_000;
const HIGHEST_KB = 14;
const HIGHEST_SHARE = 0.05;
/** One heartbeat and two. */
const SETTLE_MS = 2_500;
const WATCH_MS = 4_000;
/** These have come and gone before: what a server loads at its first client is not the client's. */
const WARM_UP = 200;

export async function run(bench) {
  const counts = bench.quick ? [200] : COUNTS.filter((count) => count + SPARE_FILES <= mostOpenFiles());
  const { runs, names, notes } = await compare(SERVERS, bench, async (name, round) => {
    const result = await measure(name, counts, bench);
    const shortly = counts.map((count) => `${count}: ${(result.get(count).bytes / 1024).toFixed(1)} KB`);
    bench.progress(`run ${round + 1} of ${bench.runs}, ${name}: ${shortly.join(", ")} a client`);
    return result;
  });
  return [report(runs, names, counts, notes)];
}

async function measure(name, counts, bench) {
  const server = await startRival(name, bench);
  const swarm = startSwarm(bench);
  await swarm.open(server, WARM_UP);
  await swarm.close();
  await delay(bench.quick ? 200 : 500);
  const empty = memoryOf(server.pids);
  const results = new Map();
  let open = 0;
  for (const count of counts) {
    await swarm.open(server, count - open);
    open = count;
    await delay(bench.quick ? 500 : SETTLE_MS);
    const isWatched = count === watchedOf(counts);
    const share = isWatched ? await shareOf(server.pids, bench.quick ? 1_000 : WATCH_MS) : undefined;
    results.set(count, { bytes: (memoryOf(server.pids) - empty) / count, share });
  }
  await Promise.all([swarm.stop(), server.stop()]);
  return results;
}

const watchedOf = (counts) => (counts.includes(HEARTBEATS_AT) ? HEARTBEATS_AT : counts.at(-1));

/** The part of a core that the processes use. */
async function shareOf(pids, ms) {
  const [cpu, begun] = [cpuOf(pids), performance.now()];
  await delay(ms);
  return ((cpuOf(pids) - cpu) * 1000) / (performance.now() - begun);
}

function report(runs, names, counts, notes) {
  const kilobytes = (name, count) => runs.map((results) => results.get(name).get(count).bytes / 1024);
  const watched = watchedOf(counts);
  const shares = (name) => runs.map((results) => results.get(name).get(watched).share * 100);
  const target = (name) => {
    const many = counts.filter((count) => count >= HEARTBEATS_AT);
    if (name !== OURS || many.length === 0) return "";
    const isSmall = many.every((count) => median(kilobytes(name, count)) <= HIGHEST_KB);
    const isQuiet = median(shares(name)) < HIGHEST_SHARE * 100;
    return `at most ${HIGHEST_KB} KB from 5,000 on: ${verdict(isSmall)}; below ${HIGHEST_SHARE * 100}%: ${verdict(isQuiet)}`;
  };
  const named = (count) => count.toLocaleString("en-US");
  return {
    title: `Idle: memory of the server for a client that waits (${runsOf(runs)})`,
    head: [
      "server",
      ...counts.map((count) => `KB a client, ${named(count)}`),
      `heartbeats, % of a core at ${named(watched)}`,
      "target",
    ],
    rows: names.map((name) => [
      name,
      ...counts.map((count) => spread(kilobytes(name, count), 1)),
      spread(shares(name), 1),
      target(name),
    ]),
    notes: [
      "Resident memory (RSS) that the server has more than with nobody, divided by the clients; without what the kernel has for a socket. Measured 2.5 s after the last has come; no garbage collection is forced. All send a heartbeat every 2 s.",
      ...notes,
    ],
    plots: [
      {
        title: "Memory of the server against clients that wait",
        spec: lines(
          names.flatMap((name) =>
            counts.map((count) => ({ x: count, y: (median(kilobytes(name, count)) * count) / 1024, name })),
          ),
          { x: "clients", y: "MB" },
        ),
      },
    ],
  };
}
