import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { useServe } from "../demo/demo.js";
import { useCommand } from "../support/process/command.js";
import { freePort } from "../support/process/free-port.js";
import { blocksOf, read } from "./blocks.js";

// "A session" of the README, word for word: only the ports are others.

vi.setConfig({ testTimeout: 120_000 });
const serve = useServe();
const shell = useCommand(["bash", "-c"]);
const isHere = (program: string) => spawnSync(program, ["--version"]).status === 0;

interface Step {
  command: string;
  /** What the page says that it prints. */
  output: string[];
}

/** The steps of the session. A block without a command shows more of what the stream prints. */
function stepsOf(blocks: string[]): Step[] {
  const steps: Step[] = [];
  for (const block of blocks) {
    let step = block.startsWith("$ ") ? undefined : steps.find(({ command }) => /^curl -N/.test(command));
    let isOpen = false;
    for (const line of block.trimEnd().split("\n")) {
      if (line.startsWith("$ ")) {
        step = { command: line.slice(2), output: [] };
        steps.push(step);
      } else if (isOpen && step) step.command += `\n${line}`;
      else step?.output.push(line);
      const quotes = step?.command.match(/'/g) ?? [];
      isOpen = step?.output.length === 0 && (quotes.length % 2 === 1 || step.command.endsWith("\\"));
    }
  }
  return steps;
}

/** Without heartbeats, `retry` and empty lines; every ID and epoch is the same. */
function plain(text: string): string {
  return text
    .replace(/^event: heartbeat\ndata: .*\n|^retry: .*\n/gm, "")
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<id>")
    .replace(/\b[0-9a-f]{16}\./g, "<epoch>.")
    .replace(/\n+/g, "\n")
    .trim();
}

/** The pattern of what a page shows: `…` is anything within a line. */
function shown(lines: string[]): RegExp {
  const escaped = plain(lines.join("\n")).replace(/[$()*+.?[\\\]^{|}]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("…", ".*")}$`);
}

test.runIf(isHere("psql") && isHere("curl"))("the session goes as the README says", async () => {
  const [page = "", [port, database]] = [read("README.md"), await Promise.all([freePort(), freePort()])];
  const session = page.slice(0, page.indexOf("## In a page")).split("\n").length;
  const start = page.slice(0, page.indexOf("## A session")).split("\n").length;
  const [printed = "", ...blocks] = blocksOf("README.md")
    .filter(({ kind, line }) => kind === "indented" && line > start && line < session)
    .map(({ text }) => text.replaceAll("8787", `${port}`).replaceAll("54329", `${database}`));
  const dataDir = await mkdtemp(join(tmpdir(), "spacefeed-test-"));
  await chmod(dataDir, 0o755); // root's Postgres is another user
  const demo = await serve({ DATA_DIR: dataDir, PORT: `${port}` });
  try {
    const [, to = ""] = await demo.command.until("stdout", /psql (\S+)\n\n/);
    const here = (text: string) => text.replaceAll(`127.0.0.1:${database}`, new URL(to).host);
    expect(here(printed).replace(/^ */gm, "").trim()).toBe(demo.command.stdout.replace(/^ */gm, "").trim());

    const steps = stepsOf(blocks.map(here));
    expect(steps.length).toBe(5);
    let stream = shell(["true"]);
    for (const { command, output } of steps) {
      const running = shell([command]);
      if (command.startsWith("curl -N")) {
        stream = running;
        await stream.until("stdout", /"space-sync"/);
      } else {
        const { code, stdout } = await running.end;
        expect({ command, code }).toEqual({ command, code: 0 });
        if (output.length > 0) expect(plain(stdout)).toMatch(shown(output));
      }
    }
    const streamed = steps.find(({ command }) => command.startsWith("curl -N")) as Step;
    const [, cursor] = await stream.until("stdout", /^id: (.*\.4)\n.*\n\n/m);
    stream.child.kill();
    expect(plain(stream.stdout)).toMatch(shown(streamed.output));

    expect(page).toContain("`&since=5e5722822082daf9.4`");
    await shell([steps[2]?.command ?? ""]).end;
    const resumed = shell([streamed.command.replace("=hall", `=hall&since=${cursor}`)]);
    await resumed.until("stdout", /^id: .*\.5$/m);
    expect(resumed.stdout).not.toContain("space-sync");
    resumed.child.kill();
  } finally {
    await demo.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
});
