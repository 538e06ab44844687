// A relay dies: how long until a client says so, by leaving the mode `realtime`.
import { setTimeout as delay } from "node:timers/promises";
import { runsOf, spread, verdict } from "./support/figures.mjs";
import { startProxy } from "./support/proxy.mjs";
import { startRelay } from "./support/relay.mjs";
import { nodeWatcher, now, startChromiumWatcher } from "./support/watchers.mjs";

/** The death comes at so many moments between two heartbeats. */
const RUNS = 5;
const SPACE = "dying";
const HIGHEST_MS = 5_000;
const PATIENCE_MS = 20_000;
const HEARTBEAT_MS = 2_000;
const WAYS = [
  { name: "killed (SIGKILL)", die: ({ relay }) => relay.signal("SIGKILL") },
  { name: "stopped (SIGTERM)", die: ({ relay }) => relay.signal("SIGTERM") },
  {
    name: "cut off: connections end, new ones are refused",
    isBehindProxy: true,
    die: ({ proxy }) => proxy.cut(),
  },
  {
    name: "unreachable: nothing passes, nothing ends",
    isBehindProxy: true,
    die: ({ proxy }) => proxy.swallow(),
  },
];

export async function run({ database, progress, quick, full }) {
  const count = quick ? 1 : full ? 2 * RUNS : RUNS;
  const client = await database.connect();
  await client.query("insert into public.beings (id, type) values ($1, 'space')", [SPACE]);
  const chromium = await startChromiumWatcher();
  if (!chromium) progress("no Chromium here: Node only");
  const watchers = chromium ? [nodeWatcher, chromium] : [nodeWatcher];
  try {
    const rows = [];
    for (const way of WAYS) rows.push(...(await measure(way, database, watchers, count, progress)));
    return [report(rows)];
  } finally {
    for (const watcher of watchers) await watcher.close();
  }
}

/** All watchers look at the same death. */
async function measure(way, database, watchers, count, progress) {
  const times = watchers.map(() => []);
  for (let round = 0; round < count; round++) {
    const took = await dieOnce(way, database, watchers, (round / count) * HEARTBEAT_MS);
    took.forEach((ms, index) => {
      times[index].push(ms);
    });
    progress(
      `${way.name}: ${took.map((ms, index) => `${watchers[index].name} ${ms.toFixed(0)} ms`).join(", ")}`,
    );
  }
  return watchers.map(({ name }, index) => ({ way, name, times: times[index] }));
}

/** `afterMs`: the death comes at another moment between two heartbeats each time. */
async function dieOnce(way, database, watchers, afterMs) {
  const relay = await startRelay(database.url, { CORS_ORIGINS: "*", HEARTBEAT_MS: String(HEARTBEAT_MS) });
  const proxy = await startProxy(relay.url);
  try {
    const url = way.isBehindProxy ? proxy.url : relay.url;
    const watches = await Promise.all(watchers.map(({ open }) => open(url, SPACE, PATIENCE_MS)));
    await delay(HEARTBEAT_MS / 2 + afterMs);
    const at = now();
    way.die({ relay, proxy });
    return await Promise.all(watches.map(async (left) => (await left()) - at));
  } finally {
    proxy.close();
    await relay.stop();
  }
}

function report(rows) {
  return {
    title: `A relay dies: until a client has noticed (${runsOf(rows[0].times)})`,
    head: ["the relay is", "client", "ms", "target"],
    rows: rows.map(({ way, name, times }) => {
      const met = Math.max(...times) < HIGHEST_MS;
      return [
        way.name,
        name,
        spread(times, 1),
        `below ${HIGHEST_MS.toLocaleString("en-US")} ms: ${verdict(met)}`,
      ];
    }),
    notes: [
      `Counted from the signal, or the fault of the network, until \`mode\` is no longer \`realtime\`. A heartbeat comes every ${HEARTBEAT_MS.toLocaleString("en-US")} ms; the deaths are spread over the time between two.`,
    ],
  };
}
