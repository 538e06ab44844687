import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "vitest";
import { bundle } from "../browser/bundle.js";

/** Long after it should have ended. */
const STUCK_MS = 25_000;

/**
 * Runs `program.ts` with this work (JavaScript that knows `client`, `until` and `cut`) in a process of its own:
 * what it has said, and how it ended.
 */
export async function runProgram(
  { onTestFinished }: Pick<TestContext, "onTestFinished">,
  work: string,
  ...parameters: string[]
): Promise<string> {
  const script = await bundle(new URL("./program.ts", import.meta.url));
  const directory = await mkdtemp(join(tmpdir(), "spacefeed-program-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "program.mjs");
  await writeFile(
    file,
    script.replace('"WORK"', () => `(async () => { ${work} })`),
  );
  const child = spawn(process.execPath, [file, ...parameters], { stdio: "pipe" });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (text) => {
      said += text;
    });
  }
  const impatient = setTimeout(() => child.kill("SIGKILL"), STUCK_MS);
  const [code, signal] = await once(child, "close");
  clearTimeout(impatient);
  return `${said}ended with ${signal ?? code}`;
}
