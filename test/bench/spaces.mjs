// Many spaces on one stream: what 1,000 clients with 1, 10 and 100 spaces each cost the relay, idle and with changes in some.
import { setTimeout as delay } from "node:timers/promises";
import { mark } from "./load/calls.mjs";
import { median, runsOf, spread } from "./support/figures.mjs";
import { cpuOf, memoryOf } from "./support/process.mjs";
import { startRelay } from "./support/relay.mjs";
import { UNLIMITED } from "./support/rivals.mjs";
import { startSwarm } from "./support/swarm.mjs";

const FULL = {
  clients: 1_000,
  each: [1, 10, 100],
  spaces: 1_000,
  warmUp: 200,
  settleMs: 5_000,
  watchMs: 10_000,
};
const QUICK = { clients: 50, each: [1, 10], spaces: 50, warmUp: 10, settleMs: 500, watchMs: 2_000 };
/** Changes a second, in as many of the spaces as this: one after the other. */
const CHANGES = 20;
const CHANGED = 10;
const AT_ONCE = 50;
const INSERT =
  "insert into public.intentions (location_id, content) values ($1, jsonb_build_array($2::text))";

export async function run(bench) {
  const size = bench.quick ? QUICK : FULL;
  const runs = [];
  for (const round of bench.rounds()) {
    const results = new Map();
    // The largest is first every other time: what the machine does meanwhile is not always the same one's.
    for (const each of round % 2 ? size.each.toReversed() : size.each) {
      const result = await measure(bench, each, size);
      results.set(each, result);
      const shortly = `${(result.bytes / 1024).toFixed(1)} KB a client, ${(result.idle * 100).toFixed(1)}% of a core idle`;
      bench.progress(`run ${round + 1} of ${bench.runs}, ${each} spaces each: ${shortly}`);
    }
    runs.push(results);
  }
  return [report(runs, size)];
}

async function measure(bench, each, { clients, spaces, warmUp, settleMs, watchMs }) {
  const client = await bench.database.connect();
  await client.query(
    `insert into public.beings (id, type) select 'space-' || n, 'space' from generate_series(0, $1::int - 1) n
     on conflict do nothing`,
    [spaces],
  );
  const relay = bench.use(await startRelay(bench.database.url, UNLIMITED));
  const swarm = startSwarm(bench);
  // Each space has as many readers as the next.
  const pathOf = (n) => {
    const ids = Array.from({ length: each }, (_, k) => `spaceId=space-${(n * each + k) % spaces}`);
    return `/api/stream?${ids.join("&")}`;
  };
  const open = async (count) => {
    let next = 0;
    const openNext = async () => {
      while (next < count) await swarm.open({ port: relay.port, path: pathOf(next++) }, 1);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, openNext));
  };
  await open(warmUp);
  await swarm.close();
  await delay(settleMs);
  const empty = memoryOf([relay.pid]);
  await open(clients);
  await delay(settleMs);
  const bytes = (memoryOf([relay.pid]) - empty) / clients;
  const idle = await shareOf(relay.pid, () => delay(watchMs));
  await swarm.reset();
  const begun = performance.now();
  const changing = await shareOf(relay.pid, () => change(client, spaces, watchMs));
  const seconds = (performance.now() - begun) / 1_000;
  const { deliveries, p50, p99 } = await swarm.report();
  const connections = await connectionsOf(relay.url);
  await Promise.all([swarm.stop(), relay.stop(), client.end()]);
  return { bytes, idle, changing, connections, rate: deliveries / seconds, p50, p99 };
}

async function change(client, spaces, ms) {
  const begun = performance.now();
  for (let n = 0; performance.now() - begun < ms; n++) {
    const spaceId = `space-${(n % CHANGED) * Math.floor(spaces / CHANGED)}`;
    await client.query(INSERT, [spaceId, `A line of text as people write it ${mark(n)}`]);
    await delay(Math.max(0, begun + ((n + 1) * 1_000) / CHANGES - performance.now()));
  }
}

/** The part of a core that a process uses during the work. */
async function shareOf(pid, work) {
  const [cpu, begun] = [cpuOf([pid]), performance.now()];
  await work();
  return ((cpuOf([pid]) - cpu) * 1_000) / (performance.now() - begun);
}

async function connectionsOf(url) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^spacefeed_clients\{endpoint="stream"\} (\d+)/m.exec(text)?.[1]);
}

function report(runs, { clients, each, spaces, watchMs }) {
  const of = (count, value) => runs.map((results) => value(results.get(count)));
  return {
    title: `${clients.toLocaleString("en-US")} clients with many spaces on one stream (${runsOf(runs)})`,
    head: [
      "spaces of a client",
      "connections",
      "KB a client",
      "bytes a further space",
      "idle, % of a core",
      "with changes, % of a core",
      "deliveries/s",
      "p50, p99 ms",
    ],
    rows: each.map((count) => [
      `${count}`,
      `${median(of(count, ({ connections }) => connections))}`,
      spread(
        of(count, ({ bytes }) => bytes / 1024),
        1,
      ),
      count === each[0] ? "" : spread(furtherSpace(runs, each[0], count), 0),
      spread(
        of(count, ({ idle }) => idle * 100),
        1,
      ),
      spread(
        of(count, ({ changing }) => changing * 100),
        1,
      ),
      spread(
        of(count, ({ rate }) => rate),
        0,
      ),
      `${spread(
        of(count, ({ p50 }) => p50),
        1,
      )}, ${spread(
        of(count, ({ p99 }) => p99),
        1,
      )}`,
    ]),
    notes: [
      `${spaces} spaces, each with as many readers as the next. Memory is what the relay has resident (RSS) beyond what it had with nobody; no garbage collection is forced. Heartbeats come every 2 s, one for all spaces of a stream. Idle and changes are watched for ${watchMs / 1_000} s each; the changes are ${CHANGES} a second, in ${CHANGED} of the spaces.`,
    ],
  };
}

const furtherSpace = (runs, first, count) =>
  runs.map((results) => (results.get(count).bytes - results.get(first).bytes) / (count - first));
