import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { SpacefeedError } from "../../../protocol/errors.js";
import { Tally } from "./tally.js";

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
const STREAM_RETRY_MS = 5_000;

/** Refuses with `rate_limited` what is more than the limits of one relay. */
export class Throttle {
  readonly #addresses: RateLimiterMemory;
  readonly #spaces: RateLimiterMemory;
  readonly #streams = new Tally();
  /** Spaces that have had all their writes, each until when. */
  readonly #full = new Map<string, number>();

  constructor(private readonly limits: Limits) {
    this.#addresses = new RateLimiterMemory({ points: limits.writesPerAddress, duration: WINDOW_S });
    this.#spaces = new RateLimiterMemory({ points: limits.writesPerSpace, duration: WINDOW_S });
  }

  /** Counts a write of an address. */
  async write(address: string | null): Promise<void> {
    if (address === null || this.limits.writesPerAddress === 0) return;
    await this.#addresses.consume(address).catch((error) => {
      throw refusal("writes of this address", "writes_per_address", spent(error).msBeforeNext);
    });
  }

  /** Spaces that take no writes at the moment. */
  get fullSpaces(): string[] {
    const now = Date.now();
    for (const [spaceId, until] of this.#full) if (until <= now) this.#full.delete(spaceId);
    return [...this.#full.keys()];
  }

  /** Refuses a write to a space that has had all of its writes. */
  demandRoom(spaceId: string | null): void {
    const left = (this.#full.get(spaceId ?? "") ?? 0) - Date.now();
    if (left > 0) throw refusal("writes to this space", "writes_per_space", left);
  }

  /** Counts a write to a space, which has happened. */
  async written(spaceId: string | null): Promise<void> {
    if (spaceId === null || this.limits.writesPerSpace === 0) return;
    const { remainingPoints, msBeforeNext } = await this.#spaces.consume(spaceId).catch(spent);
    if (remainingPoints <= 0) this.#full.set(spaceId, Date.now() + msBeforeNext);
  }

  /**
   * Counts a stream of an address, or of a space. Returns what takes it off again, which is to be called once. `isAnew`: in
   * place of one that leaves, so that there is room.
   */
  enter(of: "Address" | "Space", id: string | null, isAnew = false): () => void {
    const most = this.limits[`streamsPer${of}`];
    if (id === null || most === 0) return UNCOUNTED;
    const [key, noun] = [`${of} ${id}`, of.toLowerCase()];
    if (!isAnew && this.#streams.of(key) >= most) {
      throw refusal(`streams of this ${noun}`, `streams_per_${noun}`, STREAM_RETRY_MS);
    }
    return this.#streams.enter(key);
  }
}

const UNCOUNTED = () => {};

function refusal(what: string, limit: string, ms: number): SpacefeedError {
  const retryAfter = Math.max(1, Math.ceil(ms / 1000));
  const message = `too many ${what}: try again in ${retryAfter} s`;
  return new SpacefeedError("rate_limited", message, { limit, retryAfter });
}

/** The limiter rejects with its result when there is nothing left. */
function spent(result: unknown): RateLimiterRes {
  if (result instanceof RateLimiterRes) return result;
  throw result;
}
