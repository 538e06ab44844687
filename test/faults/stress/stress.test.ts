import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { Session } from "../../support/postgres/session.js";
import { Chance } from "../../support/process/chance.js";
import { Ledger, StressedRelay, write } from "./stress.js";

// `npm run stress -- --minutes 10 --seed 7` runs it for longer.
const SECONDS = Number(process.env.STRESS_MINUTES ?? 1 / 3) * 60;
const SEED = Number(process.env.STRESS_SEED ?? Math.floor(Math.random() * 2 ** 31));
const WRITERS = 6;
/** So many that a lost wake-up is seldom mended by the next one of the same space. */
const SPACES = 1_000;
/** What takes longer is lost: only the next commit in the same space has mended it. */
const LOST_MS = 5_000;

const db = useDatabase();

test(`P12: relays that change state all the time miss no version of any writer (seed ${SEED})`, {
  timeout: SECONDS * 1_000 + 60_000,
}, async () => {
  const chance = new Chance(SEED);
  const spaces = Array.from({ length: SPACES }, (_, n) => `space-${n}`);
  const admin = await Session.open(db, "admin");
  await admin.query("insert into beings (id, type) select unnest($1::text[]), 'space'", [spaces]);
  const restless = {
    busy: { notifications: 2, withinMs: 50 },
    quietMs: 10,
    lifeMs: { awake: 500, other: 200 },
  };
  const calmer = {
    busy: { notifications: 10, withinMs: 100 },
    quietMs: 60,
    lifeMs: { awake: 500, other: 1_000 },
  };
  const ledger = new Ledger();
  const relays = [new StressedRelay(db, restless, ledger), new StressedRelay(db, calmer, ledger)];
  try {
    for (const relay of relays) await relay.start(spaces);
    const end = performance.now() + SECONDS * 1_000;
    const isOver = () => performance.now() > end;
    const writers = Array.from({ length: WRITERS }, async (_, n) =>
      write(await Session.open(db, `writer ${n}`), chance.fork(), spaces, ledger, isOver),
    );
    const progress = setInterval(() => void tell("so far", ledger), 5_000);
    await Promise.all(writers).finally(() => clearInterval(progress));

    const missing = () =>
      [...ledger.committed.keys()].filter((id) => relays.some(({ seen }) => !seen.has(id)));
    for (const start = performance.now(); missing().length > 0 && performance.now() - start < LOST_MS; ) {
      await pause(50);
    }
    await tell(`seed ${SEED}`, ledger);
    expect(missing()).toEqual([]);
    for (const { seen, mostInFlight, ...relay } of relays) {
      expect([...ledger.committed].filter(([id, at]) => (seen.get(id) as number) - at > LOST_MS)).toEqual([]);
      expect([...ledger.undone].filter((id) => seen.has(id))).toEqual([]);
      expect(mostInFlight, "one query at a time").toBe(1);
      expect((await relay.recorder.metrics.sleepChanges.get()).values[0]?.value).toBeGreaterThan(SECONDS);
    }
  } finally {
    for (const relay of relays) await relay.close();
  }
});

/** Nothing that takes longer the more there is: it would hold up the relays, which are in this process. */
async function tell(when: string, { relays, delays, committed, refused }: Ledger): Promise<void> {
  const sum = async (metric: "recordings" | "sleepChanges" | "wakeUps") =>
    (await Promise.all(relays.map((relay) => relay.count(metric)))).reduce((a, b) => a + b, 0);
  const ms = (microseconds: number) => (microseconds / 1_000).toFixed(1);
  process.stdout.write(
    `sleep and wake, ${when}: ${committed.size} messages, ${delays.count} of ${committed.size * relays.length} seen, ` +
      `delay p50 ${ms(delays.percentile(50))} p99 ${ms(delays.percentile(99))} max ${ms(delays.max)} ms, ` +
      `${await sum("sleepChanges")} changes of state, ` +
      `${await sum("recordings")} recordings, ${await sum("wakeUps")} notifications, ${refused} refused (40001)\n`,
  );
}
