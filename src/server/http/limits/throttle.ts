import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { SpacefeedError } from "../../../protocol/errors.js";

/** How much one address or one space may have. 0: any number. */
export interface Limits {
  /** Writes in {@link WINDOW_S} seconds. */
  writesPerAddress: number;
  writesPerSpace: number;
  /** Open streams. */
  streamsPerAddress: number;
  streamsPerSpace: number;
}

/** The seconds in which writes are counted. */
const WINDOW_S = 10;
const STREAM_RETRY_S = 5;

/** Refuses with `rate_limited` what is more than the limits of one relay. */
export class Throttle {
  readonly #limits: Limits;
  readonly #addresses: RateLimiterMemory;
  readonly #spaces: RateLimiterMemory;
  readonly #streams = new Map<string, number>();
  /** Spaces that have had all their writes, each until when. */
  readonly #full = new Map<string, number>();

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#addresses = new RateLimiterMemory({ points: limits.writesPerAddress, duration: WINDOW_S });
    this.#spaces = new RateLimiterMemory({ points: limits.writesPerSpace, duration: WINDOW_S });
  }

  /** Counts a write of an address. */
  async write(address: string | null): Promise<void> {
    if (address === null || this.#limits.writesPerAddress === 0) return;
    const spent = await this.#addresses.consume(address).then(() => null, overspent);
    if (spent !== null) throw refusal("writes of this address", "writes_per_address", spent);
  }

  /** Spaces that take no writes at the moment. */
  get fullSpaces(): string[] {
    const now = Date.now();
    for (const [spaceId, until] of this.#full) if (until <= now) this.#full.delete(spaceId);
    return [...this.#full.keys()];
  }

  /** Refuses a write to a space that has had all of its writes. */
  demandRoom(spaceId: string | null): void {
    const until = this.#full.get(spaceId ?? "") ?? 0;
    const left = until - Date.now();
    if (left > 0) throw refusal("writes to this space", "writes_per_space", left);
  }

  /** Counts a write to a space, which has happened. */
  async written(spaceId: string | null): Promise<void> {
    if (spaceId === null || this.#limits.writesPerSpace === 0) return;
    const { remainingPoints, msBeforeNext } = await this.#spaces.consume(spaceId).catch(rejected);
    if (remainingPoints <= 0) this.#full.set(spaceId, Date.now() + msBeforeNext);
  }

  /** Counts a stream. Returns what takes it off again. */
  enter(address: string | null, spaceId: string): () => void {
    const { streamsPerAddress, streamsPerSpace } = this.#limits;
    const places = [
      {
        key: `space ${spaceId}`,
        most: streamsPerSpace,
        what: "streams of this space",
        limit: "streams_per_space",
      },
      ...(address === null
        ? []
        : [
            {
              key: `address ${address}`,
              most: streamsPerAddress,
              what: "streams of this address",
              limit: "streams_per_address",
            },
          ]),
    ];
    for (const { key, most, what, limit } of places) {
      if (most > 0 && (this.#streams.get(key) ?? 0) >= most)
        throw refusal(what, limit, STREAM_RETRY_S * 1000);
    }
    for (const { key } of places) this.#streams.set(key, (this.#streams.get(key) ?? 0) + 1);
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      for (const { key } of places) {
        const left = (this.#streams.get(key) ?? 1) - 1;
        if (left > 0) this.#streams.set(key, left);
        else this.#streams.delete(key);
      }
    };
  }
}

function refusal(what: string, limit: string, ms: number): SpacefeedError {
  const retryAfter = Math.max(1, Math.ceil(ms / 1000));
  return new SpacefeedError("rate_limited", `too many ${what}: try again in ${retryAfter} s`, {
    limit,
    retryAfter,
  });
}

/** The limiter rejects with its result when there is nothing left. */
function rejected(result: unknown): RateLimiterRes {
  if (result instanceof RateLimiterRes) return result;
  throw result;
}

function overspent(result: unknown): number {
  return rejected(result).msBeforeNext;
}
