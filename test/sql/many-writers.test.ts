import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { faults, LOG_RAISES, recordAll } from "../support/relay/feed.js";

const db = useDatabase();

const WRITERS = 12;
const SPACES = Array.from({ length: 10 }, (_, n) => `space-${n}`);
const TRANSACTIONS = 20;
const SEED = Number(process.env.TEST_SEED ?? randomInt(2 ** 31));

/** Mulberry32: small, and the same for the same seed. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Transactions over three random spaces, with rows of its own, so that only the triggers can deadlock. Counts each commit in its spaces. */
async function write(
  writer: Session,
  name: string,
  below: (n: number) => number,
  count: (space: string) => void,
) {
  let home = SPACES[below(10)] as string;
  await writer.run(`insert into beings (id, location_id) values ('${name}', '${home}')`);
  count(home);
  for (let n = 0; n < TRANSACTIONS; n++) {
    const spaces = new Set<string>();
    while (spaces.size < 3) spaces.add(SPACES[below(10)] as string);
    const changed = new Set<string>();
    const moved = [...spaces][0] as string;
    await writer.run("begin");
    for (const space of spaces) {
      await writer.run(
        `insert into intentions (id, location_id) values ('${name}-${n}-${space}', '${space}')`,
        "savepoint one",
        `update beings set location_id = '${SPACES[below(10)]}' where id = '${name}'`,
        "rollback to savepoint one",
      );
      changed.add(space);
    }
    if (below(2)) {
      await writer.run(`update beings set name = 'm${n}', location_id = '${moved}' where id = '${name}'`);
      changed.add(home);
    }
    if (below(3) === 0) await writer.run("rollback");
    else {
      await writer.run("commit");
      if (changed.has(home)) {
        home = (await writer.value("select location_id from beings where id = $1", [name])) as string;
      }
      for (const space of changed) count(space);
    }
  }
}

test(`P1, P8: ${WRITERS} writers over ${SPACES.length} spaces: no error, dense versions of whole commits (TEST_SEED=${SEED})`, async () => {
  const s = await Session.open(db);
  await s.run(...LOG_RAISES);
  const commits = new Map<string, number>();
  const count = (space: string) => commits.set(space, (commits.get(space) ?? 0) + 1);
  await Promise.all(
    Array.from({ length: WRITERS }, async (_, n) =>
      write(await Session.open(db), `writer-${n}`, random(SEED + n), count),
    ),
  );
  // Who met another one in a space has left it. Nobody writes now, so that one turn is enough.
  await recordAll(s);
  const versions = (await s.query("select space_id, version::int from sync.spaces order by space_id")) as {
    space_id: string;
    version: number;
  }[];
  expect(versions.map(({ space_id }) => space_id)).toEqual(SPACES);
  for (const { space_id, version } of versions) {
    expect(version, space_id).toBeGreaterThan(0);
    expect(version, space_id).toBeLessThanOrEqual(commits.get(space_id) as number);
  }
  expect(
    await s.query(
      "select space_id, count(*)::int as version from raises where now = was + 1 group by 1 order by 1",
    ),
  ).toEqual(versions);
  expect(await s.value("select count(*)::int from raises where now <> was + 1")).toBe(0);
  expect(await faults(s)).toEqual([]);
  expect(await s.value("select count(*)::int from sync.notes")).toBe(0);
});
