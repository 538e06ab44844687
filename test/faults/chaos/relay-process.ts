import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../support/process/free-port.js";
import type { Journal } from "./journal.js";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
// Connections that are done with are soon gone, so that what is left can be counted when it is quiet.
const SETTINGS = { HOST: "127.0.0.1", LOG_LEVEL: "info", DEMO: "false", IDLE_TIMEOUT_MS: "5000" };

/** A relay as in life: a process of its own, and somebody who starts it again when it ends. */
export class RelayProcess {
  url = "";
  /** The last one that was started. */
  #child: ChildProcess | undefined;
  #isWanted = true;
  #isExpected = false;
  #supervised: Promise<void> | undefined;
  readonly #settings: NodeJS.ProcessEnv;

  constructor(
    readonly name: string,
    settings: NodeJS.ProcessEnv,
    readonly journal: Journal,
  ) {
    this.#settings = settings;
  }

  /** Resolves when it answers for the first time. */
  async start(): Promise<void> {
    const port = await freePort();
    this.url = `http://127.0.0.1:${port}`;
    this.#supervised = this.#supervise(port);
    await this.answers(60_000);
  }

  /** Resolves when it has its database; false when that takes too long. */
  async answers(patienceMs: number): Promise<boolean> {
    const end = performance.now() + patienceMs;
    while (performance.now() < end) {
      const signal = AbortSignal.timeout(5_000);
      const ready = await fetch(`${this.url}/readyz`, { signal }).then(
        async (answer) => (await answer.text()) !== undefined && answer.ok,
        () => false,
      );
      if (ready) return true;
      await sleep(250);
    }
    return false;
  }

  signal(name: "SIGSTOP" | "SIGCONT" | "SIGUSR2"): void {
    this.#child?.kill(name);
  }

  /** Ends it; it is started again at once. */
  async end(name: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    this.#isExpected = true;
    const exited = once(child, "exit");
    child.kill(name);
    const isGone = await Promise.race([exited.then(() => true), sleep(20_000, false, { ref: false })]);
    if (isGone) return;
    this.journal.object(`relay ${this.name} did not end within 20 s of ${name}`);
    child.kill("SIGKILL");
    await exited;
  }

  async stop(): Promise<void> {
    this.#isWanted = false;
    await this.end("SIGTERM");
    await this.#supervised;
  }

  /** For the moment of our own end. */
  killNow(): void {
    this.#isWanted = false;
    this.#child?.kill("SIGKILL");
  }

  /** Resident memory in MB, and open file descriptors; null where the system does not say. */
  weight(): { megabytes: number; descriptors: number } | null {
    try {
      const status = readFileSync(`/proc/${this.#child?.pid}/status`, "utf8");
      const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
      return {
        megabytes: kilobytes / 1024,
        descriptors: readdirSync(`/proc/${this.#child?.pid}/fd`).length,
      };
    } catch {
      return null;
    }
  }

  async #supervise(port: number): Promise<void> {
    while (this.#isWanted) {
      const log = openSync(join(this.journal.directory, `relay-${this.name}.log`), "a");
      this.#isExpected = false;
      const child = spawn(
        process.execPath,
        ["--import", at("clock.mjs"), at("../../../bin/spacefeed.mjs"), "serve"],
        {
          env: { ...process.env, ...SETTINGS, PORT: String(port), ...this.#settings },
          stdio: ["ignore", "pipe", log],
        },
      );
      closeSync(log);
      this.#child = child;
      let hasServed = false;
      child.stdout?.on("data", (text: Buffer) => {
        if (text.includes("Spacefeed is at")) hasServed = true;
      });
      const [code, signal] = await once(child, "exit");
      // It may fail to start while the database is away. Once it serves, nothing but a signal of ours ends it.
      if (hasServed && !this.#isExpected) {
        this.journal.object(`relay ${this.name} ended by itself, with ${signal ?? `code ${code}`}`);
      }
      this.journal.note(`relay ${this.name} ended with ${signal ?? `code ${code}`}`);
      if (this.#isWanted) await sleep(this.#isExpected ? 100 : 1_000);
    }
  }
}
