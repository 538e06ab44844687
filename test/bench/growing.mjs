// Answers that grow while they are written: what they cost on the wire and the relay's CPU, whole and as what they grew by.
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { median, runsOf, spread, verdict } from "./support/figures.mjs";
import { cpuOf } from "./support/process.mjs";
import { startRelay } from "./support/relay.mjs";
import { UNLIMITED } from "./support/rivals.mjs";
import { startSwarm } from "./support/swarm.mjs";

const FORMS = { whole: "", appends: "&appends=1" };
let measured = 0;
const RATE = 20;
const ANSWER_BYTES = 10_000;
/** Of the bytes of the answer itself and an envelope for each update. */
const MOST_TIMES = 2;

export async function run(bench) {
  const size = bench.quick
    ? { readers: 20, answers: 2, updates: 20 }
    : { readers: 1_000, answers: 20, updates: 100 };
  const one = { readers: 1, answers: 1, updates: bench.quick ? 20 : 500 };
  const bytes = await compare(bench, one);
  const load = await compare(bench, size);
  return [bytesReport(bytes, one), loadReport(load, size)];
}

async function compare(bench, size) {
  const runs = [];
  for (const round of bench.rounds()) {
    const results = {};
    const forms = Object.keys(FORMS);
    for (const form of round % 2 ? forms.toReversed() : forms) {
      results[form] = await measure(bench, form, size);
      const { bytes, cpu, seconds } = results[form];
      bench.progress(
        `run ${round + 1}, ${size.readers} readers, ${form}: ${Math.round(bytes / size.readers)} bytes a reader, ${((cpu / seconds) * 100).toFixed(0)}% of a core`,
      );
    }
    runs.push(results);
  }
  return runs;
}

async function measure(bench, form, { readers, answers, updates }) {
  const client = new pg.Client(bench.database.url);
  await client.connect();
  const space = `growing-${++measured}`;
  const ids = Array.from({ length: answers }, (_, n) => `${space}-${n}`);
  await client.query(
    `insert into public.intentions (id, location_id, state, content) select id, $1, 'active', '[""]' from unnest($2::text[]) as id`,
    [space, ids],
  );
  const relay = bench.use(await startRelay(bench.database.url, UNLIMITED));
  const swarm = startSwarm(bench);
  await swarm.open({ port: relay.port, path: `/api/stream?spaceId=${space}${FORMS[form]}` }, readers);
  await delay(1_000);
  const sent = async () => Number(/^spacefeed_bytes_sent_total (\S+)/m.exec(await metricsOf(relay.url))?.[1]);
  const part = "x".repeat(ANSWER_BYTES / updates);
  const before = { bytes: await sent(), cpu: cpuOf([relay.pid]), at: performance.now() };
  for (let n = 1; n <= updates; n++) {
    // Each update a commit of its own, spread over the turn as answers of different models are.
    for (const id of ids) {
      await client.query("update public.intentions set content = jsonb_build_array($2::text) where id = $1", [
        id,
        part.repeat(n),
      ]);
    }
    const left = before.at + (n * 1_000) / RATE - performance.now();
    if (left > 0) await delay(left);
  }
  await delay(500);
  const seconds = (performance.now() - before.at) / 1_000;
  const result = { bytes: (await sent()) - before.bytes, cpu: cpuOf([relay.pid]) - before.cpu, seconds };
  await Promise.all([swarm.stop(), relay.stop(), client.end()]);
  return result;
}

const metricsOf = async (url) => (await fetch(`${url}/metrics`)).text();

function bytesReport(runs, { updates }) {
  const bytesOf = (form) => runs.map((results) => results[form].bytes);
  const times = (form) => bytesOf(form).map((bytes) => bytes / ANSWER_BYTES);
  const perUpdate = bytesOf("appends").map((bytes) => (bytes - ANSWER_BYTES) / updates);
  const isMet =
    median(perUpdate) * updates + ANSWER_BYTES <= MOST_TIMES * (ANSWER_BYTES + updates * envelope());
  return {
    title: `An answer of ${ANSWER_BYTES / 1_000} KB in ${updates} updates, to one reader (${runsOf(runs)})`,
    head: ["sent as", "bytes", "times the answer", "envelope of an update, bytes", "aim"],
    rows: [
      ["the whole row", spread(bytesOf("whole"), 0), spread(times("whole"), 1), "", ""],
      [
        "what it grew by",
        spread(bytesOf("appends"), 0),
        spread(times("appends"), 1),
        spread(perUpdate, 0),
        `at most ${MOST_TIMES} times the answer and envelopes: ${verdict(isMet)}`,
      ],
    ],
  };
}

/** The bytes of an append event without its text. */
const envelope = () => 330;

function loadReport(runs, { readers, answers }) {
  const shareOf = (form) => runs.map((results) => (results[form].cpu / results[form].seconds) * 100);
  const rateOf = (form) => runs.map((results) => results[form].bytes / results[form].seconds / 1e6);
  return {
    title: `${answers} answers that grow ${RATE} times a second, to ${readers} readers (${runsOf(runs)})`,
    head: ["sent as", "relay, % of a core", "MB/s"],
    rows: Object.keys(FORMS).map((form) => [
      form === "whole" ? "the whole row" : "what it grew by",
      spread(shareOf(form), 0),
      spread(rateOf(form), 1),
    ]),
  };
}
