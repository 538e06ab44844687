import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Chance } from "../../support/process/chance.js";
import type { ApiWriter } from "./api-writer.js";
import { FAULTS, type Fault, type Scene } from "./faults.js";
import type { SqlWriter } from "./sql-writer.js";
import type { World } from "./world.js";

/** So many faults at a time. */
const LANES = 3;
const WRITER_PAUSE_MS = 150;
const BURST = 100;

/** Everybody writes and everything fails, until the end. Resolves when the last fault is over. */
export async function storm(world: World, chance: Chance, ms: number): Promise<void> {
  const over = AbortSignal.timeout(ms);
  setMaxListeners(0, over);
  const pause = (pauseMs: number) => sleep(pauseMs, undefined, { signal: over }).catch(() => {});
  const repeat = async (own: Chance, pauseMs: number, work: () => Promise<unknown>) => {
    while (!over.aborted) {
      await work();
      await pause(own.next() * 2 * pauseMs);
    }
  };
  await world.crowd.ask("write", true);
  const [deck, held] = [[] as Fault[], new Set<string>()];
  const lanes = Array.from({ length: LANES }, () => {
    const own = chance.fork();
    const seconds = (from: number, to: number) => pause((from + own.next() * (to - from)) * 1000);
    return repeat(own, 1_000, () => strike({ world, chance: own, seconds }, deck, held));
  });
  // Now and then one goes as fast as it can, so that the relays wake and go to sleep again (P12).
  const write = async (writer: SqlWriter | ApiWriter) => {
    for (let left = writer.chance.is(0.03) ? BURST : 1; left > 0 && !over.aborted; left--) await writer.act();
  };
  const writers = [...world.sqlWriters, ...world.apiWriters].map((writer) =>
    repeat(writer.chance, WRITER_PAUSE_MS, () => write(writer)),
  );
  const { slowWriter } = world;
  const slow = repeat(slowWriter.chance, 5_000, () =>
    slowWriter.chance.is(0.1)
      ? slowWriter.truncate()
      : slowWriter.linger(() => pause(1_000 + slowWriter.chance.below(14_000))),
  );
  await Promise.all([...lanes, ...writers, slow]);
  await world.crowd.ask("write", false);
}

/** All kinds, in an order of chance: so that each comes up, also in a short storm. */
function shuffled(chance: Chance): Fault[] {
  const cards = FAULTS.flatMap((fault) => (fault.isHeavy ? [fault] : [fault, fault]));
  return cards
    .map((fault) => ({ fault, at: chance.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ fault }) => fault);
}

/** The next fault whose victim is not another's at this moment. */
async function strike(scene: Omit<Scene, "held">, deck: Fault[], held: Set<string>): Promise<void> {
  const { journal } = scene.world;
  if (deck.length === 0) deck.push(...shuffled(scene.chance));
  const fault = deck.shift() as Fault;
  const victim = fault.holds(scene.chance);
  if (held.has(victim)) {
    deck.push(fault);
    return;
  }
  held.add(victim);
  journal.count(`fault: ${fault.name}`);
  journal.note(`${fault.name} (${victim})`);
  try {
    await fault.strike({ ...scene, held: victim });
    journal.note(`${fault.name} (${victim}) is over`);
  } finally {
    held.delete(victim);
  }
}
