import { randomInt } from "node:crypto";
import { Loader } from "../loader.js";
import type { Database } from "../postgres/functions.js";
import type { Hub } from "./hub.js";

/** Tells the database, when it asks, which version all readers here have: `sync.reached()`. Nobody asks, and it does nothing. */
export class Barrier {
  readonly #relay = randomInt(2 ** 31);
  readonly #loader: Loader<string, undefined>;
  #answered: Promise<void> | undefined;
  #isClosed = false;

  constructor(
    private readonly database: Database,
    hub: Hub,
  ) {
    this.#loader = new Loader({
      batch: () => Number.POSITIVE_INFINITY,
      ask: async (spaceIds) => {
        if (this.#isClosed) return [];
        const versions = spaceIds.map((spaceId) => hub.reached(spaceId));
        this.#answered = database.tellReached(this.#relay, spaceIds, versions);
        await this.#answered;
        return [];
      },
    });
  }

  /** Before there are readers: from now on it is waited for. Nobody asks a database that is read-only. */
  async open(): Promise<void> {
    await this.database.tellReached(this.#relay, [], []).catch(() => {});
  }

  /** An answer that fails is missing, and they ask again. */
  answer(spaceId: string): void {
    this.#loader.load(spaceId).catch(() => {});
  }

  /** Its readers are gone. An answer that came after that would have it waited for again. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#answered?.catch(() => {});
    await this.database.relayGone(this.#relay).catch(() => {});
  }
}
