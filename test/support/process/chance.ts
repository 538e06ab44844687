/** Choices that are the same for the same seed. */
export class Chance {
  #state: number;

  constructor(readonly seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to, and without, 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 up to, and without, `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** True so often. */
  is(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of them; undefined of none. */
  of<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }

  /** One of them, each as often as its weight says. */
  weighted<T>(items: readonly T[], weightOf: (item: T) => number): T | undefined {
    let dice = this.next() * items.reduce((sum, item) => sum + weightOf(item), 0);
    for (const item of items) {
      dice -= weightOf(item);
      if (dice < 0) return item;
    }
    return undefined;
  }

  /** Choices of their own for something that runs beside this. */
  fork(): Chance {
    return new Chance(Math.floor(this.next() * 2 ** 32));
  }
}
