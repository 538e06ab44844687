// Everybody comes back at once, and has missed messages.
import { once } from "node:events";
import { get } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { median, runsOf, spread, verdict } from "./support/figures.mjs";
import { groupedBars } from "./support/plot.mjs";
import { cpuOf, mostOpenFiles } from "./support/process.mjs";
import { compare, HONO, NCHAN, OURS, startRival } from "./support/rivals.mjs";
import { startSwarm } from "./support/swarm.mjs";

const SERVERS = [OURS, "bare Node, http", NCHAN, HONO];
const MISSED = 50;
/** With different cursors they have missed 26 to 75, which is 50 each, too. */
const SPREAD = 25;
/** The number of the last message: who has had it is whole. */
const LAST = MISSED + SPREAD;
const BYTES = 1_000;
/** What a process has open besides its clients; more clients than the limit allows are left out. */
const SPARE_FILES = 500;
const COUNTS = [1_000, 5_000];
const HIGHEST_CPU = 0.6;
const PATIENCE_MS = 60_000;

export async function run(bench) {
  const counts = bench.quick ? [100] : COUNTS.filter((count) => count + SPARE_FILES <= mostOpenFiles());
  const cases = counts.flatMap((clients) =>
    ["the same", "different"].map((cursors) => ({ clients, cursors })),
  );
  const { runs, names, notes } = await compare(SERVERS, bench, async (name, round) => {
    const results = await measure(name, cases, bench);
    const shortly = cases.map((which, n) => `${nameOf(which)}: ${results[n].cpu.toFixed(2)} CPU s`);
    bench.progress(`run ${round + 1} of ${bench.runs}, ${name}: ${shortly.join(", ")}`);
    return results;
  });
  return [report(runs, names, cases, notes)];
}

async function measure(name, cases, bench) {
  const server = await startRival(name, bench);
  const swarm = startSwarm(bench);
  const writer = await server.openWriter(1);
  const witness = await openWitness(server);
  await writer.paced({ rate: 200, count: LAST + 1, bytes: BYTES });
  await witness.until(LAST + 1);
  // The first ones pay for what is compiled and loaded.
  await storm(server, swarm, witness, { clients: 50, cursors: "the same" });
  const results = [];
  for (const which of cases) results.push(await storm(server, swarm, witness, which));
  witness.close();
  await Promise.all([swarm.stop(), writer.stop(), server.stop()]);
  return results;
}

async function storm(server, swarm, witness, { clients, cursors }) {
  const missed = (n) => (cursors === "the same" ? MISSED : MISSED - SPREAD + 1 + (n % (2 * SPREAD)));
  const all = Array.from({ length: clients }, (_, n) => missed(n));
  const wanted = all.reduce((sum, count) => sum + count, 0);
  await delay(300);
  await swarm.reset();
  const before = { cpu: cpuOf(server.pids), queries: await queriesOf(server), at: performance.now() };
  const options = { cursors: all.map((count) => witness.cursorBefore(count)), untilOpen: false };
  const whole = { number: LAST, count: clients };
  await Promise.all([swarm.open(server, clients, options), swarm.until(whole, PATIENCE_MS)]);
  const seconds = (performance.now() - before.at) / 1000;
  const cpu = cpuOf(server.pids) - before.cpu;
  const queries = (await queriesOf(server)) - before.queries;
  const deliveries = await swarm.deliveries();
  await swarm.close();
  if (deliveries < wanted)
    throw new Error(`${clients} clients had ${deliveries} messages instead of ${wanted}`);
  return { cpu, seconds, queries, each: deliveries / clients };
}

/** A client that was there all the time: it knows the cursor of each message. */
async function openWitness({ port, path, cursorBefore }) {
  const request = get({
    host: "127.0.0.1",
    port,
    path,
    agent: false,
    headers: { Accept: "text/event-stream" },
  });
  request.on("error", () => {}); // a stream that breaks is seen by what does not arrive
  const [response] = await once(request, "response");
  const cursors = [];
  let messages = 0;
  let rest = "";
  let onMessage = () => {};
  response.setEncoding("latin1").on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("id: ")) cursors.push(line.slice(4));
      if (line.startsWith("data: ") && line.includes("~")) messages++;
    }
    onMessage();
  });
  return {
    /** Where a client is that has not had the last `count` messages. */
    cursorBefore: (count) => cursorBefore?.(cursors.at(-1), count) ?? cursors.at(-1 - count),
    until: (count) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`the witness had ${messages} of ${count}`)), 10_000);
        onMessage = () => {
          if (messages < count) return;
          clearTimeout(timer);
          resolve();
        };
        onMessage();
      }),
    close: () => request.destroy(),
  };
}

/** Queries that a relay has made, from its metrics; NaN of what has none. Its signs of life and its polls are not of clients. */
async function queriesOf({ url }) {
  if (!url) return Number.NaN;
  const text = await (await fetch(`${url}/metrics`)).text();
  const counts = text.matchAll(/^spacefeed_query_seconds_count\{query="([^"]+)"\} (\d+)/gm);
  return [...counts].reduce(
    (sum, [, name, count]) => sum + (/relay|record|lead|draw/.test(name) ? 0 : Number(count)),
    0,
  );
}

const nameOf = ({ clients, cursors }) =>
  `${clients.toLocaleString("en-US")} with ${cursors} cursor${cursors === "different" ? "s" : ""}`;

function report(runs, names, cases, notes) {
  const rows = cases.flatMap((which, n) =>
    names.map((name) => {
      const of = (key) => runs.map((results) => results.get(name)[n][key]);
      const hasTarget = name === OURS && which.clients === 1_000;
      return [
        `${nameOf(which)}, ${name}`,
        spread(of("cpu"), 2),
        spread(of("seconds"), 2),
        spread(of("each"), 1),
        Number.isNaN(of("queries")[0]) ? "" : spread(of("queries")),
        hasTarget ? `at most ${HIGHEST_CPU} CPU s: ${verdict(median(of("cpu")) <= HIGHEST_CPU)}` : "",
      ];
    }),
  );
  return {
    title: `Storms: clients that come back at once, each having missed ${MISSED} messages of 1 KB (${runsOf(runs)})`,
    head: [
      "clients and server",
      "CPU s of the server",
      "s until all are whole",
      "messages a client",
      "database queries",
      "target",
    ],
    rows,
    notes: [
      "Whole: each has had the last message, and all that it missed before it. More messages than 50 a client are of those that got a complete state instead. Different cursors: 26 to 75 missed messages. One client was there all the time. Bare Node replays from a ring in memory, Hono with a query for each client, nchan from its message buffer.",
      ...notes,
    ],
    plots: [
      {
        title: "CPU seconds of the server until all clients are whole again",
        spec: groupedBars(
          cases.flatMap((which, n) =>
            names.map((name) => ({
              group: nameOf(which),
              name,
              value: median(runs.map((results) => results.get(name)[n].cpu)),
            })),
          ),
          "CPU seconds",
        ),
      },
    ],
  };
}
