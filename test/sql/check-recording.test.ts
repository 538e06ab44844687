import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { CheckReader } from "../support/check/reader.js";
import { keepWriting, PAIRS, SPACES } from "../support/check/writer.js";
import { awake } from "../support/postgres/awake.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { Chance } from "../support/process/chance.js";
import { LOG_RAISES, faults as verified } from "../support/relay/feed.js";

const db = useDatabase();
const SECONDS = 10;
const WRITERS = 8;
const SEED = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Two beings of the same stamp in each pair; and a list of all raises of versions. */
async function prepare(s: Session): Promise<void> {
  await s.run("create sequence stamp", ...LOG_RAISES);
  for (const [n, pair] of PAIRS.entries()) {
    await s.query(
      `insert into beings (id, name, location_id)
       select $1 || x, s.stamp, $2 from unnest(array['a', 'b']) x, (select nextval('stamp')::text as stamp) s`,
      [pair, SPACES[n % SPACES.length]],
    );
  }
}

/**
 * Takes turns of recording, till its session is killed; then with another one. Some take long, and some of those are
 * rolled back. Gives how many notes it has filed.
 */
async function keepRecording(name: string, chance: Chance, isOver: () => boolean): Promise<number> {
  let filed = 0;
  let seen: unknown = null;
  let s = await Session.open(db, name);
  const turn = async (isLong: boolean, isUndone: boolean) => {
    if (isLong) await s.query("begin");
    const [row] = await s.query(
      "select now_seen, filed::int, left_behind || failed as left from sync.record($1, '{}', 50)",
      [seen],
    );
    if (isLong) {
      await setTimeout(chance.below(20));
      await s.query(isUndone ? "rollback" : "commit");
      if (isUndone) return;
    }
    const recorded = row as { now_seen: unknown; filed: number; left: string[] };
    filed += recorded.filed;
    // What was left is looked for from the start.
    seen = recorded.left.length > 0 ? null : recorded.now_seen;
  };
  while (!isOver()) {
    try {
      await turn(chance.is(0.3), chance.is(0.5));
    } catch {
      [seen, s] = [null, await Session.open(db, name)];
    }
    await setTimeout(5 + chance.below(20));
  }
  return filed;
}

test(`P1 to P8: writers in both modes, two recorders that are killed, and readers that check each step (TEST_SEED=${SEED})`, async () => {
  const chance = new Chance(SEED);
  const admin = await Session.open(db, "admin");
  await prepare(admin);
  let until = Date.now() + SECONDS * 1000;
  const isOver = () => Date.now() >= until;
  const faults: string[] = [];
  const fault = (text: string) => void (faults.length < 20 && faults.push(text));
  const sessions = (count: number, name: string) =>
    Promise.all(Array.from({ length: count }, () => Session.open(db, name)));
  const reader = async (name: string, count: number, forgets?: number) =>
    new CheckReader(name, await sessions(count, name), SPACES, chance.fork(), fault, forgets);

  const [live, alone, slow, joiner, exact] = [
    await reader("live", 3),
    await reader("alone", 1),
    await reader("slow", 2),
    await reader("joiner", 2, 0.3),
    await reader("exact", 1),
  ];
  const writers = await sessions(WRITERS, "writer");
  const [moods, keeper] = await sessions(2, "moods");
  let killed = 0;
  const busy = [
    ...writers.map((s) => keepWriting(s, chance.fork(), isOver)),
    keepRecording("recorder 1", chance.fork(), isOver),
    keepRecording("recorder 2", chance.fork(), isOver),
    (async () => {
      for (let isAwake = true; !isOver(); isAwake = !isAwake) {
        await (moods as Session).run(isAwake ? awake : "select sync.relay_seen(false)");
        await setTimeout(200 + chance.below(800));
      }
    })(),
    (async () => {
      while (!isOver()) {
        await setTimeout(200 + chance.below(500));
        const name = `recorder ${1 + chance.below(2)}`;
        const gone = await admin.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and datname = current_database()",
          [name],
        );
        killed += gone.length;
      }
    })(),
    (async () => {
      while (!isOver()) {
        await setTimeout(1500 + chance.below(1500));
        await (keeper as Session).outcome("select sync.prune('0')");
        await (keeper as Session).outcome("set lock_timeout = '200ms'; truncate intentions");
      }
    })(),
  ];
  const all = [
    ...busy,
    live.follow(1, isOver),
    alone.follow(3, isOver),
    slow.follow(250, isOver),
    joiner.follow(7, isOver),
    exact.compare(exact.sessions[0] as Session, 5, isOver),
  ];
  // One that fails ends them all.
  for (const each of all)
    each.catch(() => {
      until = 0;
    });
  await Promise.allSettled(all);
  const done = await Promise.all(all);

  await admin.run("select sync.relay_seen(false)");
  while (await admin.value("select count(*)::int from sync.notes")) await admin.run("select sync.record()");
  for (const each of [live, alone, slow, joiner, exact]) await each.ends(admin);
  expect(faults).toEqual([]);
  expect(await verified(admin)).toEqual([]);
  expect(await admin.query("select * from raises where now <> was + 1"), "versions are dense").toEqual([]);
  expect(await admin.query("select space_id, now from raises group by 1, 2 having count(*) > 1")).toEqual([]);
  // It has been tried: each of the parts has had its share.
  const commits = (done.slice(0, WRITERS) as number[]).reduce((sum, n) => sum + n, 0);
  const filed = done.slice(WRITERS, WRITERS + 2) as number[];
  for (const share of [commits, ...filed, killed, live.events, joiner.snapshots])
    expect(share).toBeGreaterThan(0);
});
