// Commit to client: from a writer's INSERT to the line in a browser's event stream.
import { setTimeout as delay } from "node:timers/promises";
import { percentile, runsOf, spread, verdict } from "./support/figures.mjs";
import { hasPsql, openPsql } from "./support/psql.mjs";
import { openStream, startRelay } from "./support/relay.mjs";

const SPACE = "latency";
const PACES = [
  { name: "at 50 a second", count: 400, everyMs: 20 },
  { name: "singles, 0.3 s apart", count: 20, everyMs: 300 },
];
const HIGHEST_P95_MS = 50;
const LOST_AFTER_MS = 10_000;

export async function run(bench) {
  const { database, progress } = bench;
  const client = await database.connect();
  await client.query("insert into public.beings (id, type) values ($1, 'space')", [SPACE]);
  const relay = bench.use(await startRelay(database.url));
  const writers = writersOf(database, client, progress);
  try {
    const arrivals = new Map();
    const stream = await openStream(relay.url, SPACE, (event, at) => {
      if (event.type === "intention-created") arrivals.set(event.data.id, at);
    });
    const runs = await measureAll(writers, arrivals, bench);
    stream.close();
    return [report(runs)];
  } finally {
    for (const writer of writers) writer.close?.();
  }
}

function writersOf(database, client, progress) {
  const text = "insert into public.intentions (id, location_id, content) values";
  const content = '["the quick brown fox jumps over the lazy dog"]';
  const node = {
    name: "a session of node-postgres",
    insert: (id) => client.query(`${text} ($1, $2, $3)`, [id, SPACE, content]),
  };
  if (!hasPsql()) {
    progress("no psql here: node-postgres only");
    return [node];
  }
  const psql = openPsql(database.url);
  return [
    node,
    {
      name: "psql",
      insert: (id) => psql.run(`${text} ('${id}', '${SPACE}', '${content}')`),
      close: psql.close,
    },
  ];
}

async function measureAll(writers, arrivals, { progress, rounds, quick, full }) {
  const size = (pace) => ({ ...pace, count: Math.ceil(pace.count * (quick ? 0.1 : full ? 2.5 : 1)) });
  for (const writer of writers) await measure(writer, { count: 50, everyMs: 5 }, arrivals);
  const runs = writers.flatMap((writer) => PACES.map((pace) => ({ writer, pace: size(pace), rounds: [] })));
  for (const round of rounds()) {
    for (const { writer, pace, rounds: done } of runs) {
      const times = await measure(writer, pace, arrivals);
      done.push(times);
      const p95 = percentile(times.fromSend, 0.95).toFixed(1);
      progress(`round ${round + 1}, ${writer.name}, ${pace.name}: p95 ${p95} ms`);
    }
  }
  return runs;
}

/** Milliseconds to the arrival of each message, from just before its INSERT was sent and from its answer. */
async function measure(writer, { count, everyMs }, arrivals) {
  arrivals.clear();
  const sent = [];
  const start = performance.now();
  for (let n = 0; n < count; n++) {
    await delay(start + n * everyMs - performance.now());
    const id = `${writer.name}-${start}-${n}`;
    const sentAt = performance.now();
    await writer.insert(id);
    sent.push({ id, sentAt, answeredAt: performance.now() });
  }
  await allArrived(sent, arrivals);
  const fromSend = sent.map(({ id, sentAt }) => arrivals.get(id) - sentAt);
  const fromAnswer = sent.map(({ id, answeredAt }) => arrivals.get(id) - answeredAt);
  return { fromSend, fromAnswer };
}

async function allArrived(sent, arrivals) {
  const deadline = performance.now() + LOST_AFTER_MS;
  while (arrivals.size < sent.length) {
    if (performance.now() > deadline) throw new Error(`${sent.length - arrivals.size} messages did not come`);
    await delay(5);
  }
}

function report(runs) {
  return {
    title: `Latency: from a writer to a client's line (${runsOf(runs[0].rounds)})`,
    head: [
      "writer",
      "p50, ms",
      "p95, ms",
      "p99, ms",
      "p50 from the answer, ms",
      "p95 from the answer, ms",
      "target",
    ],
    rows: runs.map(({ writer, pace, rounds }) => {
      const of = (from, p) => rounds.map((times) => percentile(times[from], p));
      const met = Math.max(...of("fromSend", 0.95)) < HIGHEST_P95_MS;
      return [
        `${writer.name}, ${pace.count.toLocaleString("en-US")} ${pace.name}`,
        ...[0.5, 0.95, 0.99].map((p) => spread(of("fromSend", p), 1)),
        ...[0.5, 0.95].map((p) => spread(of("fromAnswer", p), 1)),
        `p95 below ${HIGHEST_P95_MS} ms: ${verdict(met)}`,
      ];
    }),
    notes: [
      "Counted from just before the INSERT is sent, its commit included, to the arrival of the line; the relay is a process of its own. From the answer: from when the writer heard that the commit is done, which may be later than the line.",
    ],
  };
}
