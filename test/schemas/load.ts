import type { TestDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { Chance } from "../support/process/chance.js";
import { keepDoing } from "../support/process/keep-doing.js";

export interface Load {
  /** Commits so far. */
  readonly commits: number;
  /** The longest that a statement has taken, in ms. */
  readonly longestMs: number;
  stop(): Promise<void>;
}

/** Several sessions that write without a pause, as pgbench does, beside the test and until it ends. */
export async function load(
  db: TestDatabase,
  sessions: number,
  step: (session: Session, chance: Chance) => Promise<unknown>,
): Promise<Load> {
  const state = { commits: 0, longestMs: 0 };
  const chance = new Chance(Math.floor(Math.random() * 2 ** 31));
  process.stdout.write(`load, seed ${chance.seed}\n`);
  const writers = await Promise.all(
    Array.from({ length: sessions }, async (_, n) => {
      const session = await Session.open(db, `writer ${n + 1}`);
      const own = chance.fork();
      return keepDoing(async () => {
        const start = performance.now();
        await step(session, own);
        state.longestMs = Math.max(state.longestMs, performance.now() - start);
        state.commits++;
      });
    }),
  );
  return Object.assign(state, {
    stop: async () => {
      for (const writer of writers) await writer.stop();
      // A report, and no assertion: a busy machine may take its time.
      process.stdout.write(
        `  ${state.commits} commits, of which the longest took ${state.longestMs.toFixed(0)} ms\n`,
      );
    },
  });
}
