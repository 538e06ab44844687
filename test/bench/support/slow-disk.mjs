import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startServer } from "./server.mjs";

const SOURCE = fileURLToPath(new URL("../servers/slow-fsync.c", import.meta.url));

/** A Postgres of its own, in which each fsync takes 2 ms more; null where no C compiler is. */
export async function startSlowServer() {
  const directory = mkdtempSync(join(tmpdir(), "spacefeed-fsync-"));
  chmodSync(directory, 0o755); // Postgres runs as another user
  const stop = () => rmSync(directory, { recursive: true, force: true });
  const library = join(directory, "slow-fsync.so");
  const { status } = spawnSync("cc", ["-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"]);
  if (status !== 0) {
    stop();
    return null;
  }
  const server = await startServer({ preload: library });
  return { ...server, stop: () => server.stop().finally(stop) };
}
