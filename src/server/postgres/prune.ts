import type { Logger } from "pino";
import { toSpacefeedError } from "./errors.js";
import type { Database } from "./functions.js";

/** Tombstones at a time: the spaces that they are in are held for some ms. */
const BATCH = 1_000;
/** In a row, so that it ends before it begins again. */
const MOST_BATCHES = 20;

/**
 * Drops the tombstones that are older than so many days; 0: never. All relays do, each the spaces that it gets, and none
 * waits for another one. Never rejects.
 */
export async function prune(database: Database, days: number, log: Logger): Promise<void> {
  try {
    for (let n = 0; days > 0 && n < MOST_BATCHES; n++) {
      if ((await database.prune(days, BATCH)) < BATCH) break;
    }
  } catch (error) {
    // A database that is away is told of by whoever asks it for more.
    if (database.pool.ending || toSpacefeedError(error).code === "unavailable") return;
    log.warn(
      { err: error },
      "old tombstones cannot be dropped. With PRUNE_DAYS=0 the relay leaves it to others",
    );
  }
}
