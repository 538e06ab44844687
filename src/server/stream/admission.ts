import { Loader } from "../loader.js";
import type { Claims, Database, Opening, OpeningQuestion } from "../postgres/functions.js";

/** Questions in one query: so many at first, and at most. */
const FIRST_AT_ONCE = 100;
const MOST_AT_ONCE = 1_000;
/** A query that takes longer has too many questions: how long one takes is up to the policy. */
const SLOW_MS = 250;
/** After a question the next one gathers newcomers for so long: in a storm they come in ones and twos. */
const GATHER_MS = 10;

/**
 * Where newcomers ask whether they may come in, and where they are. One query is in flight; those that come meanwhile
 * are in the next one: the queries grow with time, not with newcomers.
 */
export class Admission {
  readonly #loader: Loader<OpeningQuestion, Opening | null>;
  #atOnce = FIRST_AT_ONCE;

  constructor(database: Database) {
    this.#loader = new Loader<OpeningQuestion, Opening | null>({
      batch: () => this.#atOnce,
      gatherMs: GATHER_MS,
      ask: async (questions) => {
        const began = performance.now();
        try {
          return await database.open(questions);
        } finally {
          this.#adapt(questions.length, performance.now() - began);
        }
      },
    });
  }

  /**
   * The cursor of a space, and the version that `since` stands for; null: there is no such space. Throws `forbidden`
   * where these claims may not read it, `invalid` where `since` says nothing, `unavailable` where the database is away.
   */
  open(claims: Claims, spaceId: string, since: string | null): Promise<Opening | null> {
    return this.#loader.load({ claims, spaceId, since }, JSON.stringify([claims, spaceId, since]));
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
