// P10: readers that take too little cost a bounded memory, disturb nobody, and lose nothing.
import { isDeepStrictEqual } from "node:util";
import { median, ratios, runsOf, spread, verdict } from "./support/figures.mjs";
import { lines } from "./support/plot.mjs";
import { memoryOf, startModule } from "./support/process.mjs";
import { OURS, startRival } from "./support/rivals.mjs";
import { startSwarm } from "./support/swarm.mjs";

const RATE = 200;
const BYTES = 4_000;
const SESSIONS = 4;
const WARM_UP = 50;
const SAMPLE_MS = 250;
/** What the relay may have more with the slow ones: their buffers, and as much as runs differ by anyway. */
const MOST_MORE_MB = 15;
const HIGHEST_RATIO = 1.25;
const PATIENCE_MS = 60_000;
const NAMES = ["trickle", "stopped", "cut off"];
const WORDS = { trickle: "reads 1 KB/s", stopped: "stops reading", "cut off": "is cut off without a packet" };

export async function run(bench) {
  const size = bench.quick ? { clients: 20, seconds: 2 } : { clients: 200, seconds: bench.full ? 60 : 12 };
  const runs = [];
  for (const round of bench.rounds()) {
    const pair = {};
    // In turns: neither always finds the machine warm.
    for (const isBeside of round % 2 === 0 ? [false, true] : [true, false]) {
      const result = await measure(bench, size, isBeside);
      pair[isBeside ? "beside" : "alone"] = result;
      const memory = `${result.startMb.toFixed(0)} to ${result.highestMb.toFixed(0)} MB`;
      bench.progress(
        `run ${round + 1} of ${bench.runs}, ${isBeside ? "beside slow ones" : "alone"}: p99 ${result.p99.toFixed(1)} ms, ${memory}`,
      );
    }
    runs.push(pair);
  }
  return [memoryReport(runs, size), recoveryReport(runs, size)];
}

async function measure(bench, { clients, seconds }, isBeside) {
  const server = await startRival(OURS, bench);
  const swarm = startSwarm(bench);
  const writer = await server.openWriter(SESSIONS);
  await swarm.open(server, clients);
  const slow = isBeside ? bench.use(startModule("load/slow-readers.mjs")) : undefined;
  await slow?.call("open", { url: server.url, path: server.path });
  await writer.paced({ rate: WARM_UP, count: WARM_UP, bytes: BYTES });
  await swarm.until({ count: WARM_UP * clients }, PATIENCE_MS);
  await slow?.call("slow");

  await swarm.reset();
  const samples = [];
  const started = performance.now();
  const sample = () =>
    samples.push({ second: (performance.now() - started) / 1000, mb: memoryOf(server.pids) / 2 ** 20 });
  sample();
  const sampling = setInterval(sample, SAMPLE_MS);
  const { sent } = await writer.paced({ rate: RATE, count: RATE * seconds, bytes: BYTES });
  await swarm.until({ count: sent * clients }, PATIENCE_MS);
  clearInterval(sampling);
  const report = await swarm.report();
  if (report.deliveries !== sent * clients) {
    throw new Error(`healthy clients had ${report.deliveries} messages instead of ${sent * clients}`);
  }
  const recovered = slow ? await recover(bench, server.spaceId, slow) : undefined;
  await Promise.all([swarm.stop(), writer.stop(), slow?.stop(), server.stop()]);
  const highestMb = Math.max(...samples.map(({ mb }) => mb));
  return { ...report, samples, startMb: samples[0].mb, highestMb, recovered };
}

/** What each knows when it has read all, beside what the database says. */
async function recover({ database }, spaceId, slow) {
  const client = await database.connect();
  const { rows } = await client.query("select sync.current_cursor($1) as cursor", [spaceId]);
  const newest = await client.query(
    `select id, message_id, content from public.intentions where location_id = $1
     order by substr(message_id, 5)::bigint desc limit 100`,
    [spaceId],
  );
  await client.end();
  const [{ cursor }] = rows;
  const started = performance.now();
  const readers = await slow.call("recover", { cursor, ms: PATIENCE_MS });
  const took = (performance.now() - started) / 1000;
  const due = newest.rows.map((row) => ({ id: row.id, messageId: row.message_id, content: row.content }));
  await slow.call("close");
  return readers.map(({ name, messages, reconnects, snapshots, cursor: reached }) => {
    const byId = new Map(messages.map((message) => [message.id, message]));
    const isEqual = due.every((message) => {
      const { id, messageId, content } = byId.get(message.id) ?? {};
      return isDeepStrictEqual({ id, messageId, content }, message);
    });
    return { name, isEqual: isEqual && reached === cursor, reconnects, snapshots: snapshots - 1, took };
  });
}

function memoryReport(runs, { clients, seconds }) {
  const of = (which, key) => runs.map((pair) => pair[which][key]);
  const more = runs.map(({ alone, beside }) => beside.highestMb - alone.highestMb);
  const moved = ratios(of("beside", "p99"), of("alone", "p99"));
  const row = (name, which, target) => [
    name,
    spread(of(which, "startMb")),
    spread(of(which, "highestMb")),
    ...["p50", "p99"].map((key) => spread(of(which, key), 1)),
    target,
  ];
  const isFlat = median(more) <= MOST_MORE_MB;
  const isStill = median(moved) <= HIGHEST_RATIO;
  const last = runs.at(-1);
  return {
    title: `Slow readers: ${clients} healthy clients, ${RATE} messages/s of 4 KB (${runsOf(runs)} of ${seconds} s)`,
    head: ["healthy clients", "relay at the start, MB", "at most, MB", "p50, ms", "p99, ms", "target"],
    rows: [
      row("alone", "alone", ""),
      row(
        "beside three slow ones",
        "beside",
        `at most ${MOST_MORE_MB} MB more: ${verdict(isFlat)}; p99 at most ${HIGHEST_RATIO} times: ${verdict(isStill)} (${spread(moved, 2)})`,
      ),
    ],
    notes: [
      "The three: one reads 1 KB a second, one stops reading, one is behind a proxy that freezes. Resident memory (RSS) of the relay, every 0.25 s. Latency from just before the INSERT to the healthy client's read.",
    ],
    plots: [
      {
        title: "Memory of the relay while messages come (last run)",
        spec: lines(
          [
            ...last.alone.samples.map(({ second, mb }) => ({
              x: second,
              y: mb,
              name: "healthy clients alone",
            })),
            ...last.beside.samples.map(({ second, mb }) => ({
              x: second,
              y: mb,
              name: "beside three slow ones",
            })),
          ],
          { x: "seconds", y: "MB", hasPoints: false },
        ),
      },
    ],
  };
}

function recoveryReport(runs, { seconds }) {
  const all = (name) => runs.map(({ beside }) => beside.recovered.find((reader) => reader.name === name));
  return {
    title: `Slow readers: what they have when they read again, after ${seconds} s (${runsOf(runs)})`,
    head: [
      "a client that",
      "reconnects",
      "complete states instead of events",
      "s to all of it",
      "equal to the database",
    ],
    rows: NAMES.map((name) => [
      WORDS[name],
      ...["reconnects", "snapshots"].map((key) => spread(all(name).map((reader) => reader[key]))),
      spread(
        all(name).map(({ took }) => took),
        1,
      ),
      verdict(all(name).every(({ isEqual }) => isEqual)),
    ]),
    notes: [
      "Equal: the cursor is the database's, and the newest 100 messages are there with the same content. Who was away for more than 100 messages gets a complete state.",
    ],
  };
}
