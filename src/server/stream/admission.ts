import { setTimeout as sleep } from "node:timers/promises";
import type { Claims, Database, Opening, OpeningQuestion } from "../postgres/functions.js";

/** Questions in one query: so many at first, and at most. */
const FIRST_AT_ONCE = 100;
const MOST_AT_ONCE = 1_000;
/** A query that takes longer has too many questions: how long one takes is up to the policy. */
const SLOW_MS = 250;
/** After a question the next one gathers newcomers for so long: in a storm they come in ones and twos. */
const GATHER_MS = 10;

/**
 * Where newcomers ask whether they may come in, and where they are. One query is in flight; whoever comes
 * meanwhile is in the next, and who asks the same shares the answer: the queries grow with time, not with newcomers.
 */
export class Door {
  readonly #database: Database;
  readonly #waiting = new Map<string, Newcomer>();
  #asking = false;
  #atOnce = FIRST_AT_ONCE;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * The cursor of a space, and the version that `since` stands for. Throws `forbidden` where these claims may not
   * read it, `invalid` where `since` says nothing, `unavailable` where the database is away.
   */
  open(claims: Claims, spaceId: string, since: string | null): Promise<Opening | null> {
    const key = JSON.stringify([claims, spaceId, since]);
    let newcomer = this.#waiting.get(key);
    if (!newcomer) {
      newcomer = new Newcomer({ claims, spaceId, since });
      this.#waiting.set(key, newcomer);
    }
    if (!this.#asking) void this.#ask();
    return newcomer.answer;
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    // One turn of the event loop: who comes together asks together.
    await new Promise(setImmediate);
    while (this.#waiting.size > 0) {
      const batch: Newcomer[] = [];
      for (const [key, newcomer] of this.#waiting) {
        if (batch.length === this.#atOnce) break;
        this.#waiting.delete(key);
        batch.push(newcomer);
      }
      const began = performance.now();
      try {
        const answers = await this.#database.open(batch.map(({ question }) => question));
        for (const [index, answer] of answers.entries()) {
          if (answer instanceof Error) batch[index]?.reject(answer);
          else batch[index]?.resolve(answer);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      this.#adapt(batch.length, performance.now() - began);
      await sleep(GATHER_MS, undefined, { ref: false });
    }
    this.#asking = false;
  }

  /**
   * Half as many at once after a slow query, also after one that was given up: that may also have been a lock, which
   * is why it is no less. Twice as many after a full one that was quick.
   */
  #adapt(asked: number, tookMs: number): void {
    if (tookMs > SLOW_MS) {
      if (asked > 1) this.#atOnce = Math.ceil(this.#atOnce / 2);
    } else if (asked === this.#atOnce && tookMs < SLOW_MS / 2) {
      this.#atOnce = Math.min(2 * asked, MOST_AT_ONCE);
    }
  }
}

class Newcomer {
  resolve!: (opening: Opening | null) => void;
  reject!: (error: unknown) => void;
  readonly answer = new Promise<Opening | null>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor(readonly question: OpeningQuestion) {}
}
