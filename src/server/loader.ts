import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";

/** After a failure of the database it is asked again after so long, in milliseconds. */
export const RETRY_MS = 250;

export interface LoaderOptions<Question, Answer> {
  /** Answers many questions, in their order: each by itself, or with an Error that is the answer to it alone. */
  ask(questions: Question[]): Promise<(Answer | Error)[]>;
  /** How many questions are asked in one go: one, unless told otherwise. */
  batch?: () => number;
  /** How many goes are under way at once: one, unless told otherwise. */
  atOnce?: number;
  /** Milliseconds after each go in which more questions gather. */
  gatherMs?: number;
}

/**
 * Asks the database a few questions at a time, each once for all who ask it before it has begun: who asks later may
 * know of later changes. The same question is never under way twice.
 */
export class Loader<Question, Answer> {
  readonly #options: LoaderOptions<Question, Answer>;
  readonly #waiting = new Map<unknown, Waiting<Question, Answer>>();
  readonly #underWay = new Set<unknown>();
  #lanes = 0;
  #atOnce: number;

  constructor(options: LoaderOptions<Question, Answer>) {
    this.#options = options;
    this.#atOnce = options.atOnce ?? 1;
  }

  /** Questions that are not answered yet. */
  get size(): number {
    return this.#waiting.size + this.#underWay.size;
  }

  /** The answer to a question. Those with the same `key` are the same. */
  load(question: Question, key: unknown = question): Promise<Answer> {
    let waiting = this.#waiting.get(key);
    if (!waiting) {
      waiting = new Waiting(question);
      this.#waiting.set(key, waiting);
      this.#open();
    }
    return waiting.answer;
  }

  /** Changes how many goes are under way at once. */
  widen(by: number): void {
    this.#atOnce += by;
    this.#open();
  }

  #open(): void {
    if (this.#lanes < this.#atOnce) void this.#run();
  }

  async #run(): Promise<void> {
    this.#lanes++;
    await nextTurn(); // who comes together asks together
    while (this.#lanes <= this.#atOnce) {
      const batch = this.#take();
      if (batch.size === 0) break;
      await this.#ask(batch);
      if (this.#options.gatherMs) await sleep(this.#options.gatherMs);
    }
    this.#lanes--;
  }

  #take(): Map<unknown, Waiting<Question, Answer>> {
    const most = this.#options.batch?.() ?? 1;
    const batch = new Map<unknown, Waiting<Question, Answer>>();
    for (const [key, waiting] of this.#waiting) {
      if (batch.size === most) break;
      if (this.#underWay.has(key)) continue;
      this.#waiting.delete(key);
      batch.set(key, waiting);
    }
    return batch;
  }

  async #ask(batch: Map<unknown, Waiting<Question, Answer>>): Promise<void> {
    for (const key of batch.keys()) this.#underWay.add(key);
    const all = [...batch.values()];
    try {
      const answers = await this.#options.ask(all.map(({ question }) => question));
      for (const [index, { resolve, reject }] of all.entries()) {
        const answer = answers[index] as Answer | Error;
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      }
    } catch (error) {
      for (const { reject } of all) reject(error);
    }
    for (const key of batch.keys()) this.#underWay.delete(key);
  }
}

class Waiting<Question, Answer> {
  resolve!: (answer: Answer) => void;
  reject!: (error: unknown) => void;
  readonly answer = new Promise<Answer>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor(readonly question: Question) {}
}
