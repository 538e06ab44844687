import { setTimeout as sleep } from "node:timers/promises";
import type { Claims, Database, Opening, OpeningQuestion } from "./database.js";

const QUESTIONS_AT_ONCE = 1_000;
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

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * The cursor of a space, and the version that `since` stands for. Throws `forbidden` where these claims may not
   * read it, `invalid` where `since` says nothing, `unavailable` where the database is away.
   */
  open(claims: Claims, spaceId: string, since: string | null): Promise<Opening> {
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
        if (batch.length === QUESTIONS_AT_ONCE) break;
        this.#waiting.delete(key);
        batch.push(newcomer);
      }
      try {
        const answers = await this.#database.open(batch.map(({ question }) => question));
        for (const [index, answer] of answers.entries()) {
          if (answer instanceof Error) batch[index]?.reject(answer);
          else batch[index]?.resolve(answer);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      await sleep(GATHER_MS, undefined, { ref: false });
    }
    this.#asking = false;
  }
}

class Newcomer {
  resolve!: (opening: Opening) => void;
  reject!: (error: unknown) => void;
  readonly answer = new Promise<Opening>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor(readonly question: OpeningQuestion) {}
}
