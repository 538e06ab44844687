import pLimit from "p-limit";
import { SpacefeedError } from "../../protocol/errors.js";

/** So few that the pool is there for writes, for who is caught up and for newcomers. */
const AT_ONCE = 2;
const MOST_WAITING = 200;

/**
 * What a client may ask for as often and as large as it likes: states that are polled, and lists. Few at a time, and
 * once for all who ask the same before it has begun.
 */
export class LargeReads {
  readonly #limit = pLimit(AT_ONCE);
  readonly #waiting = new Map<string, Promise<unknown>>();

  /** Does the work when it is its turn. Throws `unavailable` where too many wait already. */
  async read<T>(what: unknown[], work: () => Promise<T>): Promise<T> {
    const key = JSON.stringify(what);
    let reading = this.#waiting.get(key) as Promise<T> | undefined;
    if (!reading) {
      if (this.#limit.pendingCount >= MOST_WAITING) {
        throw new SpacefeedError("unavailable", "too much is being read here; ask again in a moment");
      }
      reading = this.#limit(() => {
        // Who comes from here on may know of later changes than this will show.
        this.#waiting.delete(key);
        return work();
      });
      this.#waiting.set(key, reading);
    }
    return reading;
  }
}
