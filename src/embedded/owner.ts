import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SpacefeedError } from "../protocol/errors.js";
import { readPostmaster, urlOf } from "./postmaster.js";
import type { Site } from "./site.js";

/**
 * Makes this process the owner of the site, by a file that only one process can create; the result gives it
 * up. Throws `config` when another living process has it.
 */
export async function claim({ home, pgdata }: Site): Promise<() => Promise<void>> {
  const file = join(home, "spacefeed.pid");
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, `${process.pid}\n${await processStart(process.pid)}\n`, { flag: "wx" });
  try {
    for (;;) {
      // A link, unlike a write, creates the file with all of its content at once.
      const isOurs = await link(draft, file).then(() => true, unless("EEXIST"));
      if (isOurs) return () => rm(file, { force: true });
      const content = await readFile(file, "utf8").catch(unless("ENOENT"));
      if (content === undefined) continue;
      const [pid = "", start = ""] = content.split("\n");
      if (await isAlive(Number(pid), start)) {
        const port = (await readPostmaster(pgdata))?.port;
        const share = port ? `set DATABASE_URL to ${urlOf(port)} to share its Postgres` : "stop that process";
        const message = `${home} is in use by process ${pid}, another Spacefeed: ${share}, or choose another DATA_DIR`;
        throw new SpacefeedError("config", message);
      }
      const taken = `${draft}.stale`;
      await rename(file, taken).catch(unless("ENOENT"));
      // What was renamed may be the new claim of a start that was faster: give it back.
      const held = await readFile(taken, "utf8").catch(unless("ENOENT"));
      if (held !== undefined && held !== content) await link(taken, file);
      await rm(taken, { force: true });
    }
  } finally {
    await rm(draft, { force: true });
  }
}

const unless =
  (code: string) =>
  (error: NodeJS.ErrnoException): undefined => {
    if (error.code !== code) throw error;
  };

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
