// One space, many clients: what a delivery costs the server, how late it comes, and how many there can be.
import { setTimeout as delay } from "node:timers/promises";
import { cpuReport, latencyReport, speedReport } from "./support/fanout-report.mjs";
import { cpuOf } from "./support/process.mjs";
import { compare, HONO, KERNEL, NCHAN, OURS, startRival } from "./support/rivals.mjs";
import { startSwarm } from "./support/swarm.mjs";

const BYTES = 1_000;
const SERVERS = [KERNEL, OURS, "bare Node, socket", "bare Node, http", NCHAN, HONO];
/** The rate at which the costs of all are compared. */
const RATE = 20;
const RATES = [5, RATE, 50, 200];
/** Whose latency is measured at all rates; the others have no writers that wait for a commit. */
const IN_TIME = [OURS, NCHAN, HONO];
const SESSIONS = 8;
/** Busier than that, more messages a second would only wait. */
const SATURATED = 0.85;
const HOPELESS_MS = 500;
const LATE_MS = 3_000;

export async function run(bench) {
  const size = bench.quick
    ? { clients: 100, seconds: 0.5 }
    : { clients: 1_000, seconds: bench.full ? 10 : 4 };
  const { runs, names, notes } = await compare(SERVERS, bench, async (name, round) => {
    const result = await measure(name, bench, size);
    bench.progress(`run ${round + 1} of ${bench.runs}, ${name}: ${shortly(result)}`);
    return result;
  });
  const what = { ...size, rate: RATE, rates: RATES, sessions: SESSIONS, notes };
  return [cpuReport(runs, names, what), latencyReport(runs, names, what), speedReport(runs, names, what)];
}

async function measure(name, bench, { clients, seconds }) {
  const server = await startRival(name, bench);
  const swarm = startSwarm(bench);
  const writer = await server.openWriter(SESSIONS);
  await swarm.open(server, clients);
  // The compiler of Node has its say first.
  const warmUp = bench.quick ? 2 : RATE;
  await writer.paced({ rate: RATE, count: warmUp, bytes: BYTES });
  await swarm.until({ count: warmUp * clients }, LATE_MS);

  const paced = {};
  const rates = IN_TIME.includes(name) && !bench.quick ? RATES : [RATE];
  // The rate of the comparison first: no server has a backlog of its own making then.
  for (const rate of [RATE, ...rates.filter((other) => other !== RATE)]) {
    if (isHopeless(name, rate, paced)) continue;
    paced[rate] = await measurePaced({ server, swarm, writer, clients }, rate, seconds);
  }
  const full = await measureFull({ server, swarm, writer }, Math.min(seconds, 3));
  await Promise.all([swarm.stop(), writer.stop(), server.stop()]);
  return { paced, full };
}

/** What is late at a lower rate is later at a higher one; and only ours writes several messages at once. */
function isHopeless(name, rate, paced) {
  if (Object.entries(paced).some(([lower, { p50 }]) => Number(lower) < rate && p50 > HOPELESS_MS))
    return true;
  return name !== OURS && rate > RATE && (paced[RATE].share * rate) / RATE > SATURATED;
}

async function measurePaced({ server, swarm, writer, clients }, rate, seconds) {
  await swarm.reset();
  const count = Math.round(rate * seconds);
  const cpu = cpuOf(server.pids);
  const begun = performance.now();
  const { sent, commit50 } = await writer.paced({ rate, count, bytes: BYTES });
  await swarm.until({ count: sent * clients }, LATE_MS);
  const elapsed = (performance.now() - begun) / 1000;
  const used = cpuOf(server.pids) - cpu;
  const report = await swarm.report();
  return { ...report, commit50, share: used / elapsed, cpuPerMillion: (used / report.deliveries) * 1e6 };
}

/** Between two moments while all are at it: what is on its way at the end is of no interest. */
async function measureFull({ server, swarm, writer }, seconds) {
  const writing = writer.full({ seconds: seconds + 1, bytes: BYTES });
  await delay(500);
  await swarm.reset();
  const cpu = cpuOf(server.pids);
  const begun = performance.now();
  await delay(seconds * 1000);
  const deliveries = await swarm.deliveries();
  const elapsed = (performance.now() - begun) / 1000;
  const used = cpuOf(server.pids) - cpu;
  const { sent, seconds: took } = await writing;
  return { perSecond: deliveries / elapsed, cpuPerMillion: (used / deliveries) * 1e6, messages: sent / took };
}

const shortly = ({ paced, full }) =>
  `${paced[RATE].cpuPerMillion.toFixed(1)} CPU s a million at ${RATE}/s, p99 ${paced[RATE].p99.toFixed(1)} ms; ` +
  `at most ${Math.round(full.perSecond).toLocaleString("en-US")}/s for ${full.cpuPerMillion.toFixed(2)}`;
