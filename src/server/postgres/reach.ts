import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "./functions.js";

interface Waiting {
  promise: Promise<number | null>;
  resolve(version: number | null): void;
  reject(error: unknown): void;
}

const AGAIN_MS = 2;
/** Somebody holds the space for long. Then the next version it is: the change comes with that one, or a later one. */
const PATIENCE_MS = 500;

/** Tells at which version a space has what was just committed: answers that wait at a time share one recording. */
export class Reach {
  readonly #database: Database;
  readonly #waiting = new Map<string, Waiting>();
  #isAsking = false;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The version of the space at or after what was committed before; null when it has none. */
  of(spaceId: string): Promise<number | null> {
    let waiting = this.#waiting.get(spaceId);
    if (!waiting) {
      waiting = withResolvers();
      this.#waiting.set(spaceId, waiting);
      if (!this.#isAsking) void this.#run();
    }
    return waiting.promise;
  }

  async #run(): Promise<void> {
    this.#isAsking = true;
    await new Promise(setImmediate); // who commits together shares the call
    while (this.#waiting.size > 0) {
      const asked = new Map(this.#waiting);
      this.#waiting.clear();
      await this.#ask(asked, performance.now() + PATIENCE_MS);
    }
    this.#isAsking = false;
  }

  async #ask(asked: Map<string, Waiting>, until: number): Promise<void> {
    try {
      for (const { spaceId, version, isPending } of await this.#database.reach([...asked.keys()])) {
        const isOver = performance.now() > until;
        if (isPending && !isOver) continue;
        asked.get(spaceId)?.resolve(isPending ? (version ?? 0) + 1 : version);
        asked.delete(spaceId);
      }
    } catch (error) {
      for (const waiting of asked.values()) waiting.reject(error);
      return;
    }
    if (asked.size === 0) return;
    // Apart from those who come meanwhile: they do not wait for this.
    void sleep(AGAIN_MS).then(() => this.#ask(asked, until));
  }
}

function withResolvers(): Waiting {
  let resolve!: Waiting["resolve"];
  let reject!: Waiting["reject"];
  const promise = new Promise<number | null>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
