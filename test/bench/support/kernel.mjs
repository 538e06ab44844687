import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("../servers/kernel.c", import.meta.url));
let program;

/** The path of the compiled servers/kernel.c; null where no C compiler is. Compiled once. */
export function compileKernel() {
  if (program !== undefined) return program;
  const directory = mkdtempSync(join(tmpdir(), "spacefeed-kernel-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const { status } = spawnSync("cc", ["-O2", "-o", join(directory, "kernel"), SOURCE], { stdio: "inherit" });
  program = status === 0 ? join(directory, "kernel") : null;
  return program;
}
