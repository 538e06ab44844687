import type { Recorded } from "./functions.js";

const BUSY_MS = 50;
const FAILED_MS = 1_000;
const FAILED_MAX_MS = 30_000;

/** Spaces that are left out of the recordings for a while, so that they hold up no other. */
export class Quarantine {
  /** `failures`: how often it has failed in turn; 0: another one was recording it. */
  readonly #spaces = new Map<string, { until: number; failures: number }>();

  /** Whether another one is at some of them, and will be done soon. */
  get isWaiting(): boolean {
    return [...this.#spaces.values()].some(({ failures }) => failures === 0);
  }

  /** Those of which recording fails. */
  get failing(): string[] {
    return [...this.#spaces].filter(([, { failures }]) => failures > 0).map(([spaceId]) => spaceId);
  }

  /** The warnings for `/readyz`. */
  async look(): Promise<string[]> {
    return this.failing.map(
      (spaceId) => `what was written in space ${spaceId} cannot be recorded: the relay's log says why`,
    );
  }

  /** Whether one is to be tried again. */
  isDue(now: number): boolean {
    return this.notYet(now).length < this.#spaces.size;
  }

  /** Those that are not to be tried yet. */
  notYet(now: number): string[] {
    return [...this.#spaces].filter(([, { until }]) => until > now).map(([spaceId]) => spaceId);
  }

  /** What a recording has left out. One that looked at all notes, at `lookedAt`, has tried those that were due then. */
  note({ leftBehind, failed }: Recorded, lookedAt = Number.NEGATIVE_INFINITY): void {
    const now = performance.now();
    const before = new Map(this.#spaces);
    for (const [spaceId, { until }] of before) if (until <= lookedAt) this.#spaces.delete(spaceId);
    for (const spaceId of leftBehind) this.#spaces.set(spaceId, { until: now + BUSY_MS, failures: 0 });
    for (const spaceId of failed) {
      const failures = (before.get(spaceId)?.failures ?? 0) + 1;
      const pause = Math.min(FAILED_MS * 2 ** (failures - 1), FAILED_MAX_MS);
      this.#spaces.set(spaceId, { until: now + pause, failures });
    }
  }
}
