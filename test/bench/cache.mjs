// getCachedBeing and getCachedIntention, beside a plain Map.
import { setTimeout as delay } from "node:timers/promises";
import {
  beingCache,
  createSpaceClient,
  getCachedBeing,
  getCachedIntention,
  intentionCache,
} from "../../dist/client/index.js";
import { ratios, spread, verdict } from "./support/figures.mjs";
import { startRelay } from "./support/relay.mjs";

const ROUNDS = 9;
const SPACE = "cache";
const ENTRIES = 10_000;
const CALLS = 1_000_000;
const HIGHEST_MS = 1;

export async function run(bench) {
  const { database, progress } = bench;
  const connection = await database.connect();
  await connection.query("insert into public.beings (id, type) values ($1, 'space')", [SPACE]);
  for (const table of ["beings", "intentions"]) {
    await connection.query(
      `insert into public.${table} (id, location_id) select '${table}-' || n, $1 from generate_series(1, $2) n`,
      [SPACE, ENTRIES],
    );
  }
  const relay = bench.use(await startRelay(database.url));
  const client = createSpaceClient({ url: relay.url, spaceId: SPACE, tabs: false });
  try {
    await fill(client);
    progress(`${beingCache.size} beings and ${intentionCache.size} messages are cached`);
    return [
      report([
        measure("getCachedBeing", getCachedBeing, beingCache),
        measure("getCachedIntention", getCachedIntention, intentionCache),
      ]),
    ];
  } finally {
    client.close();
  }
}

/** As in life: from a relay, all pages. */
async function fill(client) {
  const deadline = performance.now() + 60_000;
  while (!client.getSnapshot().data) {
    if (performance.now() > deadline) throw new Error("the client has no data");
    await delay(10);
  }
  while (await client.loadOlder()) {
    if (performance.now() > deadline) throw new Error("the older messages do not come");
  }
}

/** Nanoseconds a call, the function and a Map with the same entries in turn. */
function measure(name, getCached, cache) {
  const plain = new Map(cache);
  const ids = [...plain.keys()].sort(() => Math.random() - 0.5);
  const [cached, direct] = [[], []];
  for (let round = -1; round < ROUNDS; round++) {
    const took = { cached: time(ids, getCached), direct: time(ids, (id) => plain.get(id)) };
    if (round < 0) continue; // the first one is for the compiler
    cached.push(took.cached);
    direct.push(took.direct);
  }
  return { name, entries: plain.size, cached, direct };
}

function time(ids, get) {
  let found = 0;
  const start = performance.now();
  for (let call = 0; call < CALLS; call++) if (get(ids[call % ids.length])) found++;
  const took = performance.now() - start;
  if (found !== CALLS) throw new Error(`${CALLS - found} were not found`);
  return (took * 1e6) / CALLS;
}

function report(measured) {
  return {
    title: `The client's cache (${ROUNDS} runs of ${CALLS.toLocaleString("en-US")} calls)`,
    head: ["function", "entries", "ns a call", "`Map.get`, ns a call", "ratio", "target"],
    rows: measured.map(({ name, entries, cached, direct }) => [
      `\`${name}\``,
      entries.toLocaleString("en-US"),
      spread(cached, 1),
      spread(direct, 1),
      spread(ratios(cached, direct), 2),
      `below ${HIGHEST_MS} ms: ${verdict(Math.max(...cached) < HIGHEST_MS * 1e6)}`,
    ]),
    notes: ["Filled by a client from a relay, page by page; asked for in random order, in Node."],
  };
}
