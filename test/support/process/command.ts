import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll } from "vitest";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const OURS =
  /^(DATABASE_URL|LISTEN_DATABASE_URL|HOST|PORT|DATA_DIR|HEARTBEAT_MS|CATCH_UP_LIMIT|CORS_ORIGINS|DEMO|LOG_LEVEL|AUTH_.*|MAX_.*|TRUST_PROXY|SPACEFEED_TOKEN|npm_.*|PG.*)$/;

/** A process of `spacefeed`, or of another program, that may still run. */
export interface Command {
  readonly child: ChildProcess;
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves when the process has ended, with its exit code (null: killed) and all it has written. */
  readonly end: Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Waits until stdout or stderr has the pattern. Rejects when the process ends without it. */
  until(where: "stdout" | "stderr", pattern: RegExp): Promise<RegExpExecArray>;
}

const SPACEFEED = [process.execPath, "bin/spacefeed.mjs"];

/** Builds the command before the tests of a file; what is still running after them is killed. */
export function useCommand([program = "", ...first] = SPACEFEED): (
  args: string[],
  env?: Record<string, string>,
) => Command {
  const running = new Set<Command>();
  beforeAll(() => {
    execFileSync(process.execPath, ["bin/prepare.mjs"], { cwd: ROOT });
  }, 120_000);
  afterAll(async () => {
    for (const { child } of running) child.kill("SIGKILL");
    await Promise.all([...running].map((command) => command.end));
  });

  return (args, env = {}) => {
    const inherited = Object.entries(process.env).filter(([name]) => !OURS.test(name));
    const child = spawn(program, [...first, ...args], {
      cwd: ROOT,
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const written = { stdout: "", stderr: "" };
    const looks = new Set<() => void>();
    for (const where of ["stdout", "stderr"] as const) {
      child[where].setEncoding("utf8").on("data", (text: string) => {
        written[where] += text;
        for (const look of looks) look();
      });
    }
    const end = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
      child.once("close", (code) => resolve({ code, ...written }));
    });
    const command: Command = {
      child,
      get stdout() {
        return written.stdout;
      },
      get stderr() {
        return written.stderr;
      },
      end,
      until: (where, pattern) =>
        new Promise((resolve, reject) => {
          const look = () => {
            const found = pattern.exec(written[where]);
            if (!found) return;
            looks.delete(look);
            resolve(found);
          };
          looks.add(look);
          look();
          void end.then(({ code }) => reject(new Error(`ended with ${code}: ${JSON.stringify(written)}`)));
        }),
    };
    running.add(command);
    void end.then(() => running.delete(command));
    return command;
  };
}
