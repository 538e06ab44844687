import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";

/** After a failure of the database it is asked again after so long, in milliseconds. */
export const RETRY_MS = 250;

/** By default one question in one query at a time. */
interface LoaderOptions<Question, Answer> {
  /** Answers in the order of the questions; an Error is the answer to its question alone. */
  ask(questions: Question[]): Promise<(Answer | Error)[]>;
  /** Questions in one query at most. */
  batch?: () => number;
  /** Queries under way at most. */
  atOnce?: number;
  /** Milliseconds after each query in which questions gather. */
  gatherMs?: number;
}

interface Asked<Question, Answer> {
  question: Question;
  answer: Promise<Answer>;
  settle(answer: Promise<Answer>): void;
}

/**
 * Asks the database a few questions at a time, each once for all who ask it before it has begun: who asks later may
 * know of later changes. The same question is never under way twice.
 */
export class Loader<Question, Answer> {
  readonly #waiting = new Map<unknown, Asked<Question, Answer>>();
  readonly #underWay = new Set<unknown>();
  #running = 0;
  #atOnce: number;

  constructor(private readonly options: LoaderOptions<Question, Answer>) {
    this.#atOnce = options.atOnce ?? 1;
  }

  /** Questions that are not answered yet. */
  get size(): number {
    return this.#waiting.size + this.#underWay.size;
  }

  /** The answer to a question. Those with the same `key` are the same. */
  load(question: Question, key: unknown = question): Promise<Answer> {
    const known = this.#waiting.get(key);
    if (known) return known.answer;
    let settle!: (answer: Promise<Answer>) => void;
    const answer = new Promise<Answer>((resolve) => {
      settle = resolve;
    });
    this.#waiting.set(key, { question, answer, settle });
    if (this.#running < this.#atOnce) void this.#run();
    return answer;
  }

  /** Changes how many queries may be under way. */
  widen(by: number): void {
    this.#atOnce += by;
    if (this.#running < this.#atOnce) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running++;
    await nextTurn(); // those that come together are asked together
    while (this.#running <= this.#atOnce) {
      const { batch = () => 1, gatherMs } = this.options;
      const keys: unknown[] = [];
      const most = batch();
      for (const key of this.#waiting.keys()) {
        if (keys.length === most) break;
        if (!this.#underWay.has(key)) keys.push(key);
      }
      if (keys.length === 0) break;
      await this.#ask(keys);
      if (gatherMs) await sleep(gatherMs);
    }
    this.#running--;
  }

  async #ask(keys: unknown[]): Promise<void> {
    const all = keys.map((key) => this.#waiting.get(key) as Asked<Question, Answer>);
    for (const key of keys) {
      this.#waiting.delete(key);
      this.#underWay.add(key);
    }
    const answers = this.options.ask(all.map(({ question }) => question));
    const answerAt = async (index: number) => {
      const answer = (await answers)[index] as Answer | Error;
      if (answer instanceof Error) throw answer;
      return answer;
    };
    for (const [index, { settle }] of all.entries()) settle(answerAt(index));
    await answers.catch(() => {});
    for (const key of keys) this.#underWay.delete(key);
  }
}
