import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { SpacefeedError } from "../protocol/errors.js";

/**
 * Where one embedded Postgres lives and as whom it runs. `home` has the log and the owner file, `pgdata` below it is
 * the cluster (PGDATA); both are absolute. `spawning` goes into spawn's options, with the numeric uid and gid where
 * Postgres runs as another user.
 */
export interface Site {
  home: string;
  pgdata: string;
  spawning: { cwd: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number };
}

// For what an unprivileged account cannot reach in its own place. Not in /tmp or /var/tmp: there another user
// could take the name first, and the sweeper of old files would take pieces away.
export const STORE = "/var/lib/spacefeed";
export const run = promisify(execFile);
export const exists = (path: string) => fs.lstat(path).catch(() => undefined);

/** The error `config` for a Postgres that cannot be had. `message` ends in a next step; one is added to it. */
export function unusable(message: string, cause?: unknown): SpacefeedError {
  return new SpacefeedError("config", `${message}, or set DATABASE_URL to a Postgres 14 to 18`, { cause });
}

/** Finds the place for the data of `dataDir`, which is made where it is missing. */
export async function findSite(dataDir: string, log: (message: string) => void): Promise<Site> {
  await fs.mkdir(dataDir, { recursive: true });
  const here = await fs.realpath(dataDir);
  // PG* variables would change what initdb and postgres do.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PG")));
  const site = (home: string, account: { uid?: number; gid?: number }): Site => ({
    home,
    pgdata: join(home, "postgres"),
    spawning: { cwd: home, env, ...account },
  });
  if (process.getuid?.() !== 0) return site(here, {});

  const away = awayFrom(here);
  const dataHere = await exists(join(here, "postgres"));
  const data = dataHere ?? (await exists(join(away, "postgres")));
  // Postgres refuses to run as root. Data that is there belongs to whoever ran it first, and stays so.
  const account = data?.uid ? { uid: data.uid | 0, gid: data.gid | 0 } : await unprivilegedAccount();
  const ask = run("/bin/sh", ["-c", 'cd "$1"', "sh", here], { cwd: "/", ...account });
  const isReachable = await ask.then(() => true).catch(() => false);
  if (dataHere && !isReachable) {
    throw unusable(
      `${here} holds data of user ${account.uid}. Postgres runs as that user instead of root, but may not ` +
        "enter the directory: allow it (chmod o+x on its parent directories), choose another DATA_DIR",
    );
  }
  if (isReachable && (dataHere || !data)) return site(here, account);
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

/** Makes a directory that everybody can read and only root can write. */
export async function rootDirectory(path: string): Promise<void> {
  await fs.mkdir(path, { recursive: true });
  const info = await fs.lstat(path);
  if (!info.isDirectory() || info.uid !== 0 || info.mode & 0o022) {
    throw unusable(`${path} is not a directory that only root can write: remove it`);
  }
  await fs.chmod(path, 0o755); // mkdir obeyed the umask
}
