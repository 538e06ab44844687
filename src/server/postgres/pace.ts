import type { Recorded } from "./functions.js";

/**
 * Between two recordings, each of which costs an fsync that writers' own have to wait for: short where many share it,
 * long where a lone writer would feel it.
 */
const PAUSE_MS = { busy: 2, idle: 20, most: 50 };
/** Notes a second, from which on many writers share it. */
const MANY_NOTES = 500;
const MOST_NOTES = 2_000;

/** How much a recording takes, and when the next one comes. */
export class Pace {
  maxNotes = MOST_NOTES;
  /** Milliseconds until the next recording. */
  pause = 0;
  /** Recordings have found nothing for a while. */
  isQuiet = false;
  readonly #quietMs: number;
  #foundAt = 0;
  #recordedAt = 0;

  constructor(quietMs: number) {
    this.#quietMs = quietMs;
  }

  /** It is not quiet yet. */
  begin(): void {
    this.#foundAt = performance.now();
  }

  /** It may have been too much. */
  failed(): void {
    this.maxNotes = Math.max(1, this.maxNotes >> 1);
  }

  /** A recording has ended that began at `start`. */
  recorded({ filed, isMore }: Recorded, start: number): void {
    const now = performance.now();
    if (filed > 0) this.#foundAt = now;
    this.isQuiet = now - this.#foundAt >= this.#quietMs;
    this.maxNotes = Math.min(MOST_NOTES, this.maxNotes * 2);
    const isMany = filed * 1_000 >= MANY_NOTES * (now - this.#recordedAt);
    this.#recordedAt = now;
    const least = isMany ? PAUSE_MS.busy : PAUSE_MS.idle;
    if (isMore) this.pause = 0;
    else if (this.isQuiet) this.pause = PAUSE_MS.most;
    else this.pause = Math.min(Math.max(least, (now - start) / 2), PAUSE_MS.most);
  }
}
