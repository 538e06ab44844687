// Several relays of one database: what each costs the database, and a rolling restart under load.
import { setTimeout as delay } from "node:timers/promises";
import { median, runsOf, spread, verdict } from "./support/figures.mjs";
import { groupedBars } from "./support/plot.mjs";
import { cpuOfFamily, startModule } from "./support/process.mjs";
import { startRelay } from "./support/relay.mjs";
import { startWriter, UNLIMITED } from "./support/rivals.mjs";

const SPACE = "relays";
const INSERT = "insert into public.intentions (content, location_id) values ($1, $2)";
const COUNTS = [0, 1, 2, 4];
const RATE = 50;
/** Slower: who is away for less than 5 s has missed less than 100 messages, and gets them as events. */
const RESTART_RATE = 20;
const BYTES = 1_000;
const PATIENCE_MS = 10_000;

export async function run(bench) {
  const size = bench.quick ? { clients: 20, seconds: 1 } : { clients: 200, seconds: bench.full ? 15 : 4 };
  const client = await bench.database.connect();
  await client.query("insert into public.beings (id, type) values ($1, 'space')", [SPACE]);
  const postmaster = await bench.server.postmaster();
  if (!postmaster) bench.progress("Postgres is on another machine: its CPU is not known");
  const runs = [];
  for (const round of bench.rounds()) {
    const results = { steady: [] };
    for (const count of COUNTS) {
      results.steady.push(await steady(bench, count, size, postmaster));
      const { cpuMs } = results.steady.at(-1);
      bench.progress(
        `run ${round + 1} of ${bench.runs}, ${count} relays: ${cpuMs.toFixed(2)} ms of the database a message`,
      );
    }
    results.rolling = await rolling(bench, size);
    const { lost, doubled, reconnects, awayMs } = results.rolling;
    bench.progress(
      `run ${round + 1} of ${bench.runs}, rolling restart: ${lost} lost, ${doubled} doubled, ${reconnects} came back, after at most ${awayMs.toFixed(0)} ms`,
    );
    runs.push(results);
  }
  return [costReport(runs, size), restartReport(runs, size)];
}

async function steady(bench, count, { clients, seconds }, postmaster) {
  const relays = await startRelays(bench, count);
  const { followers, writer } = await startLoad(bench, relays, clients);
  const cpu = postmaster ? cpuOfFamily(postmaster) : Number.NaN;
  const { sent } = await writer.paced({ rate: RATE, count: RATE * seconds, bytes: BYTES });
  await followers.call("until", { number: sent, ms: PATIENCE_MS });
  const cpuMs = ((postmaster ? cpuOfFamily(postmaster) - cpu : Number.NaN) / sent) * 1000;
  const report = await followers.call("report", { number: count > 0 ? sent : 0 });
  await Promise.all([followers.stop(), writer.stop(), ...relays.map(({ stop }) => stop())]);
  await emptySpace(bench);
  const each = Object.values(report.delivered);
  const isEqual = report.lost + report.doubled === 0 && new Set(each).size <= 1 && each.length === count;
  return { cpuMs, isEqual, ...report };
}

/** SIGTERM to one after the other while messages come; each is back at its address before the next one goes. */
async function rolling(bench, { clients, seconds }) {
  const relays = await startRelays(bench, 2);
  const { followers, writer } = await startLoad(bench, relays, clients);
  const count = RESTART_RATE * (seconds + 4);
  const writing = writer.paced({ rate: RESTART_RATE, count, bytes: BYTES });
  for (const [n, relay] of relays.entries()) {
    await delay(500);
    await relay.stop();
    relays[n] = bench.use(await startRelay(bench.database.url, { ...UNLIMITED, PORT: String(relay.port) }));
  }
  const { sent } = await writing;
  await followers.call("until", { number: sent, ms: PATIENCE_MS });
  const report = await followers.call("report", { number: sent });
  await Promise.all([followers.stop(), writer.stop(), ...relays.map(({ stop }) => stop())]);
  await emptySpace(bench);
  return { sent, ...report };
}

async function startRelays(bench, count) {
  const relays = [];
  for (let n = 0; n < count; n++) relays.push(bench.use(await startRelay(bench.database.url, UNLIMITED)));
  return relays;
}

async function startLoad(bench, relays, clients) {
  const followers = bench.use(startModule("load/followers.mjs"));
  const urls = relays.map(({ url }) => `${url}/api/stream?spaceId=${SPACE}`);
  if (urls.length > 0) await followers.call("open", { urls, count: clients });
  const open = { databaseUrl: bench.database.url, sql: INSERT, values: [SPACE], sessions: 1 };
  const writer = await startWriter(bench, open);
  return { followers, writer };
}

/** The next ones count from 0 again. */
async function emptySpace({ database }) {
  const client = await database.connect();
  await client.query("delete from public.intentions where location_id = $1", [SPACE]);
  await client.end();
}

function costReport(runs, { clients, seconds }) {
  const of = (n, key) => runs.map(({ steady }) => steady[n][key]);
  const isKnown = !Number.isNaN(of(0, "cpuMs")[0]);
  return {
    title: `Relays: CPU of the database for a message (${runsOf(runs)} of ${seconds} s, ${RATE} messages/s of 1 KB, ${clients} clients)`,
    head: ["relays", "CPU ms a message", "delivery equal on all"],
    rows: COUNTS.map((count, n) => [
      count === 0 ? "none, the writer alone" : count,
      isKnown ? spread(of(n, "cpuMs"), 2) : "not known",
      count === 0 ? "" : verdict(of(n, "isEqual").every(Boolean)),
    ]),
    notes: [
      "All processes of Postgres together. The clients are spread evenly; equal: each relay has sent the same number of messages, and no client has lost one or had one twice.",
    ],
    plots: isKnown
      ? [
          {
            title: "CPU of the database for a message",
            spec: groupedBars(
              COUNTS.map((count, n) => ({
                group: count === 1 ? "1 relay" : `${count || "no"} relays`,
                name: "database",
                value: median(of(n, "cpuMs")),
              })),
              "CPU ms a message",
            ),
          },
        ]
      : [],
  };
}

function restartReport(runs, { clients }) {
  const sum = (key) => runs.reduce((total, { rolling }) => total + rolling[key], 0);
  return {
    title: `Relays: a rolling restart of two under load (${runsOf(runs)}, ${clients} clients, ${RESTART_RATE} messages/s)`,
    head: [
      "messages",
      "deliveries due",
      "times that clients came back",
      "longest away, s",
      "got a complete state",
      "left to load from it",
      "lost",
      "doubled",
      "target",
    ],
    rows: [
      [
        sum("sent"),
        (sum("sent") * clients).toLocaleString("en-US"),
        sum("reconnects"),
        spread(
          runs.map(({ rolling }) => rolling.awayMs / 1000),
          1,
        ),
        sum("snapshots"),
        sum("older"),
        sum("lost"),
        sum("doubled"),
        `none lost: ${verdict(sum("lost") + sum("doubled") === 0)}`,
      ],
    ],
    notes: [
      "SIGTERM to one relay after the other; each is back before the next one goes. Clients come back by their cursors, to the other relay. Away: from the end of a stream to the next message. Sums of all runs. A complete state has the newest 100 messages: what is older is loaded when somebody looks.",
    ],
  };
}
