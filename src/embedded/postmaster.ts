import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { lastLines } from "./binaries.js";
import { run, type Site, unusable } from "./site.js";

/** A Postgres process of ours; `exited` as in EmbeddedPostgres. */
export interface Running {
  child: ChildProcess;
  exited: Promise<string>;
}

const START_MS = 30_000;
// Fast, immediate, and no shutdown, with the time that each may take: less than 4.5 s in all.
const SHUTDOWN = [
  ["SIGINT", 3000],
  ["SIGQUIT", 1000],
  ["SIGKILL", 400],
] as const;
const SETTINGS =
  "listen_addresses=127.0.0.1 unix_socket_directories= max_connections=200 logging_collector=off";

/** The address of the database on `port`. */
export function urlOf(port: number): string {
  return `postgres://postgres@127.0.0.1:${port}/spacefeed`;
}

/** What Postgres wrote in its postmaster.pid, if there is one. */
export async function readPostmaster(pgdata: string) {
  const lines = (await readFile(join(pgdata, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
  const pid = Number(lines[0]);
  return pid > 0 ? { pid, port: Number(lines[3]), ready: lines[7]?.trim() === "ready" } : undefined;
}

/** Ends the Postgres that a killed owner left behind. Only the owner of the site may call it. */
export async function endOrphan({ pgdata }: Site, log: (message: string) => void): Promise<void> {
  const pid = (await readPostmaster(pgdata))?.pid;
  // Windows does not tell a process' command line; Postgres' own refusal has to do there.
  if (pid === undefined || process.platform === "win32") return;
  if (await isPostmaster(pid, pgdata)) {
    log(`stopping the Postgres (process ${pid}) that a killed Spacefeed left behind`);
    await untilEnded(pid, pgdata);
  }
  // Postgres itself would take any process with that pid, even a dead one not yet reaped, for the orphan.
  await rm(join(pgdata, "postmaster.pid"), { force: true });
}

async function untilEnded(pid: number, pgdata: string): Promise<void> {
  for (const [signal, ms] of SHUTDOWN) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
    for (const until = Date.now() + ms; Date.now() < until; await delay(25)) {
      if (!(await isPostmaster(pid, pgdata))) return;
    }
  }
  throw unusable(`process ${pid}, a Postgres on ${pgdata}, does not stop: stop it, choose another DATA_DIR`);
}

async function isPostmaster(pid: number, pgdata: string): Promise<boolean> {
  // The command line and not /proc/<pid>/cwd, which root without CAP_SYS_PTRACE (Docker) may not read.
  const command =
    process.platform === "linux"
      ? readFile(`/proc/${pid}/cmdline`, "utf8").then((text) => text.replaceAll("\0", " "))
      : run("ps", ["-ww", "-o", "command=", "-p", String(pid)]).then(({ stdout }) => stdout);
  return command.then((text) => text.includes(`postgres -D ${pgdata} -c `)).catch(() => false);
}

/**
 * Starts Postgres on the preferred port, or on a free one, and waits until the database `spacefeed` answers.
 * Throws `config` with Postgres' reason when that fails or takes more than 30 s.
 */
export async function start(site: Site, bin: string, preferred: number) {
  const deadline = Date.now() + START_MS;
  for (let wanted = preferred; ; ) {
    const port = await freePort(wanted);
    const running = await launch(site, bin, port);
    const fault = await faultUntilReady(running, site, port, deadline);
    if (fault === undefined) return { port, running };
    await end(running);
    const taken = /address already in use|could not create any TCP\/IP sockets/i.test(fault);
    // The children of a killed postmaster need a moment to notice.
    const lingering = /pre-existing shared memory block/.test(fault);
    if (Date.now() > deadline || !(taken || lingering)) {
      throw unusable(`${fault}\nCorrect that, choose another DATA_DIR`);
    }
    if (taken) wanted = 0;
    else await delay(200);
  }
}

function freePort(preferred: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => (preferred === 0 ? reject(error) : resolve(freePort(0))));
    server.listen({ port: preferred, host: "127.0.0.1" }, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function launch({ home, pgdata, spawning }: Site, bin: string, port: number): Promise<Running> {
  const path = join(home, "postgres.log");
  const file = await open(path, "a", 0o600);
  try {
    const from = (await file.stat()).size;
    const settings = [`port=${port}`, ...SETTINGS.split(" ")].flatMap((setting) => ["-c", setting]);
    const child = spawn(join(bin, "postgres"), ["-D", pgdata, ...settings], {
      // Its own process group: the terminal's Ctrl-C is for Spacefeed, which then stops Postgres in order.
      detached: true,
      windowsHide: true,
      stdio: ["ignore", file.fd, file.fd],
      ...spawning,
    });
    const ended = new Promise<string>((resolve) => {
      child.on("error", (error) => resolve(`could not be run (${error.message})`));
      child.once("exit", (code, signal) =>
        resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`),
      );
    });
    const said = () => readFile(path).then((log) => lastLines(log.subarray(from).toString()));
    const exited = ended.then(
      async (how) => `Postgres ${how}; the end of ${path}:\n${await said().catch(String)}`,
    );
    return { child, exited };
  } finally {
    await file.close();
  }
}

/** Resolves to nothing once the database answers, else to the reason why it does not. */
async function faultUntilReady({ child, exited }: Running, { pgdata }: Site, port: number, deadline: number) {
  let refusal = "";
  while (Date.now() < deadline) {
    const postmaster = await readPostmaster(pgdata);
    // Before it says so the port may still be another server's.
    if (postmaster?.pid === child.pid && postmaster?.ready) {
      const fault = await makeDatabase(port).catch((error) => `: ${error.message}`);
      if (fault === undefined) return undefined;
      refusal = fault;
    }
    if (await settles(exited, 50)) return exited;
  }
  return `Postgres did not answer within ${START_MS / 1000} s${refusal}`;
}

async function makeDatabase(port: number): Promise<undefined> {
  // Without ssl: false, PGSSLMODE of the environment would count.
  const server = { host: "127.0.0.1", port, user: "postgres", database: "postgres", ssl: false };
  const client = new Client({ ...server, connectionTimeoutMillis: 2000 });
  client.on("error", () => {}); // the query that it breaks rejects as well
  try {
    await client.connect();
    const found = await client.query("select from pg_database where datname = 'spacefeed'");
    if (found.rowCount === 0) await client.query("create database spacefeed");
  } finally {
    await client.end().catch(() => {});
  }
}

/** Ends Postgres in order, or else by force, in less than 4.5 s; at once when it has ended already. */
export async function end({ child, exited }: Running): Promise<void> {
  for (const [signal, ms] of SHUTDOWN) {
    // On Windows each signal just ends the process, and the next start recovers as after a crash.
    child.kill(signal);
    if (await settles(exited, ms)) return;
  }
}

/** Whether it settles in time. The timer keeps no process alive. */
const settles = (promise: Promise<unknown>, ms: number) =>
  Promise.race([promise.then(() => true), delay(ms, false, { ref: false })]);
