// Writers in a process of their own: pgbench where it is installed, else load/writers.mjs.

import { execFile, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const DEBIAN = "/usr/lib/postgresql";
const LOAD = fileURLToPath(new URL("../load/writers.mjs", import.meta.url));
const pgbench = findPgbench();

/** What the writers are, for the notes of a report. */
export const LOAD_GENERATOR = pgbench ? "pgbench" : "a Node process";

function findPgbench() {
  const debian = existsSync(DEBIAN)
    ? readdirSync(DEBIAN).map((version) => `${DEBIAN}/${version}/bin/pgbench`)
    : [];
  return ["pgbench", ...debian].find((path) => spawnSync(path, ["--version"]).status === 0);
}

/**
 * Commits a second of `writers` sessions that run `sql` again and again, each time its own transaction: for `seconds`,
 * or `transactions` times in all; not above `rate` a second, with pgbench. `:n` in the statement is a random number from 1 to `numbers`.
 */
export async function commitRate({ url, sql, numbers, writers, seconds, transactions, rate }) {
  const each = transactions && Math.ceil(transactions / writers);
  if (!pgbench) {
    const job = JSON.stringify({ url, sql, numbers, writers, seconds, each });
    return Number((await promisify(execFile)(process.execPath, [LOAD, job])).stdout);
  }
  const directory = await mkdtemp(join(tmpdir(), "spacefeed-pgbench-"));
  try {
    const script = join(directory, "script.sql");
    await writeFile(script, `\\set n random(1, ${numbers})\n${sql};\n`);
    // What a session compiles and plans at first is no part of its pace: only the last second counts.
    const length = each ? ["-t", each] : ["-T", seconds + 1, "-P", 1];
    const pace = rate ? ["-R", rate] : [];
    const args = ["-n", "-M", "prepared", "-c", writers, "-j", 1, ...length, ...pace, "-f", script, url];
    const { stdout, stderr } = await promisify(execFile)(pgbench, args.map(String));
    const paces = each ? stdout.matchAll(/tps = ([\d.]+) \(without/g) : stderr.matchAll(/ ([\d.]+) tps/g);
    const tps = [...paces].at(-1)?.[1];
    if (!tps) throw new Error(`pgbench has not finished a transaction: ${stdout}${stderr}`);
    return Number(tps);
  } finally {
    await rm(directory, { recursive: true });
  }
}
