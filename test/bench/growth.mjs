// Many messages: whether what a client waits for grows with them. And what a change costs on the wire, beside the
// complete state.
import { median, percentile, runsOf, spread, verdict } from "./support/figures.mjs";
import { fill, missSome, prepare } from "./support/messages.mjs";
import { lines } from "./support/plot.mjs";
import { openStream, startRelay } from "./support/relay.mjs";
import { UNLIMITED } from "./support/rivals.mjs";
import { readUntil, sizesOf } from "./support/wire.mjs";

const SPACES = 10_000;
/** The spaces that are measured: alike at each size, so that only what is around them grows. */
const PROBES = 40;
const IN_A_PROBE = 100;
const MISSED = 50;
const LIVE = 100;
/** Flat: what takes so many times as long at the largest size has grown. */
const HIGHEST_GROWTH = 1.5;
const WAYS = {
  snapshot: "snapshot of 100 messages",
  catchUp: `catch-up of ${MISSED}`,
  live: "live delivery",
};

export async function run(bench) {
  const sizes = bench.quick ? [5_000, 20_000] : [10_000, 1_000_000, ...(bench.full ? [5_000_000] : [])];
  const client = await bench.database.connect();
  await prepare(client, { probes: PROBES, each: IN_A_PROBE });
  const relay = bench.use(await startRelay(bench.database.url, UNLIMITED));
  const results = [];
  for (const size of sizes) {
    const begun = performance.now();
    await fill(client, { size, spaces: bench.quick ? 100 : SPACES });
    bench.progress(
      `${named(size)} messages are there after ${((performance.now() - begun) / 1000).toFixed(0)} s`,
    );
    const runs = [];
    // The sizes share the budget; each has all of its runs.
    for (let round = 0; round < bench.runs; round++) {
      runs.push(await measure(client, relay));
      const shortly = Object.keys(WAYS).map((way) => `${way} ${runs[round][way].p50.toFixed(1)} ms`);
      bench.progress(`run ${round + 1} of ${bench.runs}, ${named(size)}: ${shortly.join(", ")}`);
    }
    results.push({ size, runs });
  }
  return [growthReport(results), wireReport(await sizesOf(client, relay.url))];
}

async function measure(client, relay) {
  const snapshot = [];
  const catchUp = [];
  const cursors = await missSome(client, { probes: PROBES, count: MISSED });
  for (const { spaceId, cursor } of cursors) {
    const url = `${relay.url}/api/stream?spaceId=${spaceId}`;
    snapshot.push((await readUntil(url, {}, (text) => /^id: /m.test(text))).ms);
    const headers = { "Last-Event-ID": cursor };
    const caughtUp = await readUntil(url, headers, (text) => text.split("intention-created").length > MISSED);
    if (caughtUp.text.includes("space-sync"))
      throw new Error("a catch-up was answered with a complete state");
    catchUp.push(caughtUp.ms);
  }
  return { snapshot: figures(snapshot), catchUp: figures(catchUp), live: figures(await live(client, relay)) };
}

/** Milliseconds from just before an INSERT is sent to its line. */
async function live(client, relay) {
  const times = [];
  let arrived = () => {};
  const stream = await openStream(relay.url, "probe-0", ({ type }, at) => {
    if (type === "intention-created") arrived(at);
  });
  for (let n = 0; n < LIVE; n++) {
    const sentAt = performance.now();
    const arrival = new Promise((resolve) => {
      arrived = resolve;
    });
    await client.query(
      "insert into public.intentions (location_id, content) values ('probe-0', '[\"live\"]')",
    );
    times.push((await arrival) - sentAt);
  }
  stream.close();
  return times;
}

const figures = (times) => ({ p50: percentile(times, 0.5), p95: percentile(times, 0.95) });
const named = (count) => count.toLocaleString("en-US");

function growthReport(results) {
  const of = ({ runs }, way, key) => runs.map((run) => run[way][key]);
  const rows = Object.entries(WAYS).map(([way, name]) => {
    const growth = median(of(results.at(-1), way, "p50")) / median(of(results[0], way, "p50"));
    return [
      name,
      ...results.flatMap((result) => [spread(of(result, way, "p50"), 1), spread(of(result, way, "p95"), 1)]),
      growth.toFixed(2),
      `at most ${HIGHEST_GROWTH} times: ${verdict(growth <= HIGHEST_GROWTH)}`,
    ];
  });
  const largest = named(results.at(-1).size);
  return {
    title: `Growth: milliseconds with ever more messages in ${named(SPACES)} spaces (${runsOf(results[0].runs)})`,
    head: [
      "",
      ...results.flatMap(({ size }) => [`p50 at ${named(size)}`, `p95 at ${named(size)}`]),
      `${largest} over ${named(results[0].size)}`,
      "target",
    ],
    rows,
    notes: [
      `${PROBES} spaces with ${IN_A_PROBE} messages and more are measured, the same at each size; the other messages are spread over the other spaces. A snapshot and a catch-up are timed from the request to the last byte, live delivery from just before the INSERT is sent (${LIVE} a run). Statistics are fresh (ANALYZE).`,
    ],
    plots: [
      {
        title: "Median time with ever more messages",
        spec: lines(
          Object.entries(WAYS).flatMap(([way, name]) =>
            results.map((result) => ({ x: result.size, y: median(of(result, way, "p50")), name })),
          ),
          { x: "messages in the database", y: "ms", isLog: true },
        ),
      },
    ],
  };
}

function wireReport(sizes) {
  return {
    title: "On the wire: bytes of a change, beside the complete state of its space",
    head: ["space", "change", "event, bytes", "complete state, bytes", "times less", "the documents promise"],
    rows: sizes.map(({ space, change, event, state, promised }) => [
      space,
      change,
      named(event),
      named(state),
      Math.round(state / event),
      `${promised}: ${verdict(state / event >= promised)}`,
    ]),
    notes: [
      "The same change as it comes from `/api/stream` and from `/api/sync` (SSE), with all that SSE adds, before compression. A message has 200 bytes of text, a being a name and a profile of 200 bytes.",
    ],
  };
}
