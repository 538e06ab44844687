import { type ChildProcess, fork } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Crowd } from "./crowd.js";
import type { Journal } from "./journal.js";

const RUN = fileURLToPath(new URL("run.mjs", import.meta.url));
type Answer = { id: number; result?: unknown; error?: string };

/** The process of the crowd, so that a hundred clients do not take the time of who torments them. */
export class CrowdProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #asked = 0;
  #isWanted = true;

  constructor(journal: Journal) {
    const log = openSync(join(journal.directory, "crowd.log"), "a");
    this.#child = fork(RUN, ["crowd"], { stdio: ["ignore", log, log, "ipc"] });
    this.#child.on("message", ({ id, result, error }: Answer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result as never);
      else waiting?.reject(new Error(error));
    });
    this.#child.once("exit", (code, signal) => {
      const how = `the crowd ended with ${signal ?? `code ${code}`}; see crowd.log`;
      if (this.#isWanted) journal.object(how);
      for (const { reject } of this.#waiting.values()) reject(new Error(how));
    });
  }

  /** Asks it for something. Rejects when it has ended. */
  ask<Method extends keyof Crowd>(
    method: Method,
    ...values: Parameters<Crowd[Method]>
  ): Promise<Awaited<ReturnType<Crowd[Method]>>> {
    return new Promise((resolve, reject) => {
      const id = ++this.#asked;
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, method, values }, (error) => error && reject(error));
    });
  }

  async stop(): Promise<void> {
    this.#isWanted = false;
    await this.ask("stop").catch(() => {});
  }

  killNow(): void {
    this.#isWanted = false;
    this.#child.kill("SIGKILL");
  }
}
