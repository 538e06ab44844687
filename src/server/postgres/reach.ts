import { setTimeout as sleep } from "node:timers/promises";
import { Loader } from "../loader.js";
import type { Database, Reached } from "./functions.js";

const AGAIN_MS = 2;
/** Somebody holds the space for long. Then the answer has the next version: the change comes with that one, or a later one. */
const PATIENCE_MS = 500;

/** Tells at which version a space has what was just committed: answers that wait at the same time share one recording. */
export class Reach {
  readonly #loader: Loader<string, Reached>;

  constructor(database: Database) {
    this.#loader = new Loader({
      batch: () => Number.POSITIVE_INFINITY,
      ask: (spaceIds) => database.reach(spaceIds),
    });
  }

  /** The version of the space at or after what was committed before; null when it has none. */
  async of(spaceId: string): Promise<number | null> {
    for (const until = performance.now() + PATIENCE_MS; ; await sleep(AGAIN_MS)) {
      const { version, isPending } = await this.#loader.load(spaceId);
      if (!isPending) return version;
      if (performance.now() > until) return (version ?? 0) + 1;
    }
  }
}
