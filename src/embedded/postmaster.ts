import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { link, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Client } from "pg";
import { SpacefeedError } from "../protocol/errors.js";

/**
 * Where one embedded Postgres lives and as whom it runs. `home` has the log and the owner file, `pgdata`
 * below it is the cluster (PGDATA); both are absolute. `account` goes into spawn's options: empty for the
 * current user, else the numeric uid and gid.
 */
export interface Site {
  home: string;
  pgdata: string;
  account: { uid?: number; gid?: number };
}

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

/** The error `config` for a Postgres that cannot be had. `message` ends in a next step; one is added to it. */
export function unusable(message: string, cause?: unknown): SpacefeedError {
  return new SpacefeedError("config", `${message}, or set DATABASE_URL to a Postgres 14 to 18`, { cause });
}

/** The address of the database on `port`. */
export function urlOf(port: number): string {
  return `postgres://postgres@127.0.0.1:${port}/spacefeed`;
}

/** The environment without PG* variables, which would change what initdb and postgres do. */
export function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PG")));
}

/** The last lines of a program's output that are not empty, at most eight. */
export function lastLines(output: string): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  return lines.slice(-8).join("\n");
}

/**
 * Makes this process the owner of the site, by a file that only one process can create; the result gives it
 * up. Throws `config` when another living process has it.
 */
export async function claim({ home, pgdata }: Site): Promise<() => Promise<void>> {
  const file = join(home, "spacefeed.pid");
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, `${process.pid}\n${await processStart(process.pid)}\n`, { flag: "wx" });
  try {
    // A link, unlike a write, creates the file with all of its content at once.
    for (;;) {
      try {
        await link(draft, file);
        return () => rm(file, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const content = await readFile(file, "utf8").catch(unlessMissing);
      if (content === undefined) continue;
      const [pid = "", start = ""] = content.split("\n");
      if (await isAlive(Number(pid), start)) {
        const port = (await readPostmaster(pgdata))?.port;
        const share = port ? `set DATABASE_URL to ${urlOf(port)} to share its Postgres` : "stop that process";
        const message = `${home} is in use by process ${pid}, another Spacefeed: ${share}, or choose another DATA_DIR`;
        throw new SpacefeedError("config", message);
      }
      const taken = `${draft}.stale`;
      await rename(file, taken).catch(unlessMissing);
      // What was renamed may be the new claim of a start that was faster: give it back.
      const held = await readFile(taken, "utf8").catch(unlessMissing);
      if (held !== undefined && held !== content) await link(taken, file);
      await rm(taken, { force: true });
    }
  } finally {
    await rm(draft, { force: true });
  }
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

async function isAlive(pid: number, start: string): Promise<boolean> {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const now = await processStart(pid);
  return now === "" || start === "" || now === start;
}

/** Tells a process from a later one with the same pid, also after a reboot; empty where there is no /proc. */
async function processStart(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z") return "ended"; // in containers nobody may reap it
    return `${(await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim()} ${fields[19]}`;
  } catch {
    return "";
  }
}

/** What Postgres wrote in its postmaster.pid, if there is one. */
async function readPostmaster(pgdata: string) {
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
      : promisify(execFile)("ps", ["-ww", "-o", "command=", "-p", String(pid)]).then(({ stdout }) => stdout);
  return command.then(
    (text) => text.includes(`postgres -D ${pgdata} -c `),
    () => false,
  );
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

async function launch({ home, pgdata, account }: Site, bin: string, port: number): Promise<Running> {
  const path = join(home, "postgres.log");
  const file = await open(path, "a", 0o600);
  try {
    const from = (await file.stat()).size;
    const settings = [`port=${port}`, ...SETTINGS.split(" ")].flatMap((setting) => ["-c", setting]);
    const child = spawn(join(bin, "postgres"), ["-D", pgdata, ...settings], {
      // Its own process group: the terminal's Ctrl-C is for Spacefeed, which then stops Postgres in order.
      detached: true,
      windowsHide: true,
      cwd: home, // the account may not be able to enter ours
      env: environment(),
      stdio: ["ignore", file.fd, file.fd],
      ...account,
    });
    const ended = new Promise<string>((resolve) => {
      child.on("error", (error) => resolve(`could not be run (${error.message})`));
      child.once("exit", (code, signal) =>
        resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`),
      );
    });
    const exited = ended.then(
      async (how) => `Postgres ${how}; the end of ${path}:\n${await tail(path, from).catch(String)}`,
    );
    return { child, exited };
  } finally {
    await file.close();
  }
}

async function tail(path: string, from: number): Promise<string> {
  const file = await open(path);
  try {
    const position = Math.max(from, (await file.stat()).size - 4096);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(4096), position });
    return lastLines(buffer.toString("utf8", 0, bytesRead));
  } finally {
    await file.close();
  }
}

/** Resolves to nothing once the database answers, else to the reason why it does not. */
async function faultUntilReady(running: Running, { pgdata }: Site, port: number, deadline: number) {
  let ended: string | undefined;
  void running.exited.then((how) => {
    ended = how;
  });
  let refusal = "";
  while (Date.now() < deadline) {
    if (ended !== undefined) return ended;
    const postmaster = await readPostmaster(pgdata);
    // Before it says so the port may still be another server's.
    if (postmaster?.pid === running.child.pid && postmaster?.ready) {
      // Without ssl: false, PGSSLMODE of the environment would count.
      const server = { host: "127.0.0.1", port, user: "postgres", database: "postgres", ssl: false };
      const client = new Client({ ...server, connectionTimeoutMillis: 2000 });
      client.on("error", () => {}); // the query that it breaks rejects as well
      try {
        await client.connect();
        const found = await client.query("select from pg_database where datname = 'spacefeed'");
        if (found.rowCount === 0) await client.query("create database spacefeed");
        return undefined;
      } catch (error) {
        refusal = `: ${error instanceof Error ? error.message : String(error)}`;
      } finally {
        await client.end().catch(() => {});
      }
    }
    await settles(running.exited, 50);
  }
  return `Postgres did not answer within ${START_MS / 1000} s${refusal}`;
}

/** Ends Postgres in order, or else by force, in less than 4.5 s; at once when it has ended already. */
export async function end({ child, exited }: Running): Promise<void> {
  for (const [signal, ms] of SHUTDOWN) {
    // On Windows each signal just ends the process, and the next start recovers as after a crash.
    child.kill(signal);
    if (await settles(exited, ms)) return;
  }
}

async function settles(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  try {
    return await Promise.race([promise.then(() => true), delay(ms, false, { signal: timer.signal })]);
  } finally {
    timer.abort(); // a timer that runs on would keep the process alive
  }
}
