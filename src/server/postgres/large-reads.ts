import { SpacefeedError } from "../../protocol/errors.js";
import { Loader } from "../loader.js";

/** So few that the pool is there for writes, for who is caught up and for newcomers. */
const AT_ONCE = 2;
const MOST_WAITING = 200;

/** What a client may ask for as often and as large as it likes: states that are polled, and lists. */
export class LargeReads {
  readonly #loader = new Loader<() => Promise<unknown>, unknown>({
    atOnce: AT_ONCE,
    ask: async ([work]) => [await work?.()],
  });

  /** Does the work when it is its turn, once for all who ask for the same. Throws `unavailable` where too many wait. */
  async read<T>(what: unknown[], work: () => Promise<T>): Promise<T> {
    if (this.#loader.size >= MOST_WAITING + AT_ONCE) {
      throw new SpacefeedError("unavailable", "too much is being read here; ask again in a moment");
    }
    return this.#loader.load(work, JSON.stringify(what)) as Promise<T>;
  }
}
