// The servers that are compared. Each is {name, port, path, pids, openWriter(sessions), stop}; a writer has
// paced({rate, count, bytes}) and full({seconds, bytes}).

import { compileKernel } from "./kernel.mjs";
import { hasNchan, startNchan } from "./nchan.mjs";
import { startModule, start as startProcess } from "./process.mjs";
import { startRelay } from "./relay.mjs";

export const OURS = "Spacefeed";
export const KERNEL = "the kernel's send";
export const NCHAN = "nchan (nginx)";
export const HONO = "Hono, NOTIFY";
const INSERT = "insert into public.intentions (content, location_id) values ($1, $2)";
const INSERT_FORWARDED = "insert into public.forwarded (content) values ($1)";

/** What a relay needs to be told, so that its limits are not what is measured. */
export const UNLIMITED = {
  MAX_CLIENTS: "50000",
  MAX_STREAMS_PER_ADDRESS: "50000",
  MAX_STREAMS_PER_SPACE: "50000",
};

const RIVALS = {
  [OURS]: spacefeed,
  [KERNEL]: kernel,
  "bare Node, socket": (bench) => bareNode(bench, "socket"),
  "bare Node, http": (bench) => bareNode(bench, "response"),
  [HONO]: hono,
  [NCHAN]: (bench) => withNchan(bench),
};

/**
 * Measures each server in turn, and again: {runs, names, notes}. A run has each name's result. Of the others, what
 * is not installed or fails is left out of all runs, and a note says so; when ours fails, so does the subject.
 */
export async function compare(wanted, bench, measure) {
  const notes = [];
  const leaveOut = (name, why) => {
    bench.progress(`without ${name}: ${why}`);
    notes.push(`Without ${name}: ${why}.`);
    names = names.filter((other) => other !== name);
  };
  let names = wanted;
  if (names.includes(KERNEL) && !compileKernel()) leaveOut(KERNEL, "no C compiler (cc) here");
  if (names.includes(NCHAN) && !hasNchan()) leaveOut(NCHAN, "no nginx with libnginx-mod-nchan here");
  const runs = [];
  for (const round of bench.rounds()) {
    const results = new Map();
    // Each is first once: what the machine does in the course of a run is not always one server's.
    const first = round % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      try {
        results.set(name, await measure(name, round));
      } catch (error) {
        if (name === OURS) throw error;
        leaveOut(name, error.message);
      }
    }
    runs.push(results);
  }
  return { runs, names, notes };
}

export async function startRival(name, bench) {
  const server = await RIVALS[name](bench);
  return { name, ...server };
}

let spaces = 0;

/** Each time another space: what an earlier run has written would come as a complete state. */
async function spacefeed(bench) {
  const spaceId = `feed-${++spaces}`;
  const client = await bench.database.connect();
  await client.query("insert into public.beings (id, type) values ($1, 'space')", [spaceId]);
  await client.end();
  const relay = bench.use(await startRelay(bench.database.url, UNLIMITED));
  const open = { databaseUrl: bench.database.url, sql: INSERT, values: [spaceId] };
  return {
    spaceId,
    port: relay.port,
    path: `/api/stream?spaceId=${spaceId}`,
    url: relay.url,
    // Several versions may come as one group, of which only the last has a cursor.
    cursorBefore: (cursor, count) => cursor.replace(/\d+$/, (version) => Number(version) - count),
    pids: [relay.pid],
    openWriter: (sessions) => startWriter(bench, { ...open, sessions }),
    stop: relay.stop,
  };
}

async function hono(bench) {
  const app = await startChild(bench, "servers/hono-app.mjs", { DATABASE_URL: bench.database.url });
  const open = { databaseUrl: bench.database.url, sql: INSERT_FORWARDED };
  return { ...app, openWriter: (sessions) => startWriter(bench, { ...open, sessions }) };
}

async function bareNode(bench, mode) {
  const app = await startChild(bench, "servers/bare-node.mjs", { MODE: mode });
  const postTo = `http://127.0.0.1:${app.port}/`;
  return { ...app, openWriter: (sessions) => startWriter(bench, { postTo, sessions }) };
}

async function withNchan(bench) {
  const nginx = bench.use(await startNchan());
  const postTo = `http://127.0.0.1:${nginx.port}/pub`;
  return { ...nginx, path: "/sub", openWriter: (sessions) => startWriter(bench, { postTo, sessions }) };
}

async function kernel(bench) {
  const { child, pid, stop } = startProcess(compileKernel(), []);
  bench.use({ stop });
  child.stdout.setEncoding("utf8");
  const ask = (line) =>
    new Promise((resolve, reject) => {
      child.once("exit", reject);
      child.stdout.once("data", (text) => {
        child.off("exit", reject);
        resolve(Number(text.split(" ")[1]));
      });
      if (line) child.stdin.write(`${line}\n`);
    });
  const port = await ask();
  const writer = {
    paced: async ({ rate, count, bytes }) => ({ sent: await ask(`paced ${rate} ${count} ${bytes}`) }),
    full: async ({ seconds, bytes }) => ({ sent: await ask(`full ${seconds} ${bytes}`), seconds }),
    stop: async () => {},
  };
  return { port, path: "/", pids: [pid], openWriter: async () => writer, stop };
}

/** A server that is a module, and that sends us the port that it has got. */
async function startChild(bench, path, environment) {
  const module = bench.use(startModule(path, environment));
  const { port } = await module.firstMessage;
  return { port, path: "/stream", pids: [module.pid], stop: module.stop };
}

export async function startWriter(bench, open) {
  const { call, stop } = bench.use(startModule("load/writer.mjs"));
  await call("open", open);
  return { paced: (how) => call("paced", how), full: (how) => call("full", how), stop };
}
