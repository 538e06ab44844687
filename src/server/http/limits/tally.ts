/** Counts what is open at a time, by its key. */
export class Tally {
  readonly #open = new Map<string, number>();

  of(key: string): number {
    return this.#open.get(key) ?? 0;
  }

  /** Counts one more. Returns what takes it off again, which is to be called once. */
  enter(key: string): () => void {
    this.#open.set(key, this.of(key) + 1);
    return () => {
      const left = this.of(key) - 1;
      if (left > 0) this.#open.set(key, left);
      else this.#open.delete(key);
    };
  }
}
