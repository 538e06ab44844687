import { randomInt } from "node:crypto";
import { Loader } from "../loader.js";
import type { Database } from "../postgres/functions.js";
import type { Hub } from "./hub.js";

/** Tells the database, when it asks, which version all readers here have: `sync.reached()`. Nobody asks, and it does nothing. */
export class Barrier {
  readonly #relay = randomInt(2 ** 31);
  readonly #loader: Loader<string, undefined>;
  #answered: Promise<void> | undefined;
  #isOpen = false;

  constructor(
    private readonly database: Database,
    hub: Hub,
  ) {
    this.#loader = new Loader({
      batch: () => Number.POSITIVE_INFINITY,
      ask: async (spaceIds) => {
        if (!this.#isOpen) return [];
        const versions = spaceIds.map((spaceId) => hub.reached(spaceId));
        this.#answered = database.tellReached(this.#relay, hub.epoch, spaceIds, versions);
        await this.#answered;
        return [];
      },
    });
  }

  /** From now on it is waited for: before there are readers. Nobody asks a database that is read-only. */
  async open(): Promise<void> {
    this.#isOpen = true;
    await this.register();
  }

  /** Once more, when the database may have lost that. */
  async register(): Promise<void> {
    if (this.#isOpen) await this.database.tellReached(this.#relay, null, [], []).catch(() => {});
  }

  /** An answer that fails is missing, and they ask again. */
  answer(spaceId: string): void {
    this.#loader.load(spaceId).catch(() => {});
  }

  /** Its readers are gone. An answer that came after that would have it waited for again. */
  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#answered?.catch(() => {});
    await this.database.relayGone(this.#relay).catch(() => {});
  }
}
