import { setTimeout } from "node:timers/promises";
import type { Session } from "../postgres/session.js";
import type { Chance } from "../process/chance.js";

export const SPACES = ["s0", "s1", "s2", "s3"];
export const PAIRS = SPACES.flatMap((space) => [0, 1, 2].map((n) => `p-${space}-${n}-`));
/** What an application's own rows and locks may refuse; nothing of it is ours. */
const REFUSALS = /^(23505|40001|40P01|55P03)$/;

let ids = 0;

type Work = (s: Session, chance: Chance) => Promise<unknown>;
const space = (chance: Chance) => chance.of(SPACES) as string;
const pair = (chance: Chance) => chance.of(PAIRS) as string;
const any = (chance: Chance) => `m-${1 + chance.below(ids || 1)}`;
const say = (s: Session, id: string, where: string) =>
  s.query("insert into intentions (id, location_id, content) values ($1, $2, '[1]')", [id, where]);
const stampOf = (s: Session) => s.value("select nextval('stamp')::text");

/** Gives both of a pair a stamp, in statements of their own, and may move them. */
const stamp =
  (isMove: boolean): Work =>
  async (s, chance) => {
    const p = pair(chance);
    if ((await s.value("select id from beings where id = $1 for update", [`${p}a`])) === undefined) return;
    const [name, to] = [await stampOf(s), isMove ? space(chance) : null];
    for (const x of ["a", "b"]) {
      await s.query("update beings set name = $2, location_id = coalesce($3, location_id) where id = $1", [
        p + x,
        name,
        to,
      ]);
      if (x === "a" && chance.is(0.3)) await setTimeout(chance.below(4));
    }
  };

const PAIR_WORKS: Work[] = [
  stamp(false),
  stamp(true),
  async (s, chance) => {
    const p = pair(chance);
    await s.query("select pg_advisory_xact_lock(7, hashtext($1))", [p]);
    const there = await s.value("select id from beings where id = $1 for update", [`${p}a`]);
    if (there) return s.query("delete from beings where id = any($1)", [[`${p}a`, `${p}b`]]);
    const [name, where] = [await stampOf(s), space(chance)];
    for (const x of ["a", "b"]) {
      await s.query("insert into beings (id, name, location_id) values ($1, $2, $3)", [p + x, name, where]);
    }
    return undefined;
  },
  // One of a pair alone: what is to be seen of it may not bring along half of what the pair is given next.
  (s, chance) =>
    s.query("update beings set properties = jsonb_build_object('n', $2::int) where id = $1", [
      `${pair(chance)}a`,
      chance.below(1000),
    ]),
  (s, chance) => s.query(`update intentions set content = content || '"x"' where id = $1`, [any(chance)]),
];
const WORKS: Work[] = [
  ...PAIR_WORKS,
  (s, chance) => say(s, `m-${++ids}`, space(chance)),
  (s) => {
    const [first, last] = [ids + 1, ids + 40];
    ids = last;
    return s.query(
      "insert into intentions (id, location_id) select 'm-' || g, 's' || g % 4 from generate_series($1::int, $2::int) g",
      [first, last],
    );
  },
  (s, chance) => s.query("delete from intentions where id = $1", [any(chance)]),
  // What has come this moment, and may not be recorded yet.
  (s, chance) => s.query("delete from intentions where id = $1", [`m-${ids - chance.below(3)}`]),
  (s, chance) =>
    s.query("update intentions set location_id = $2 where id = $1", [
      `m-${ids - chance.below(3)}`,
      space(chance),
    ]),
  (s, chance) =>
    s.query(
      `with picked as (select id from intentions where location_id = $1 order by random() limit 5 for update skip locked)
       update intentions i set location_id = $2, state = $3 from picked where picked.id = i.id`,
      [space(chance), space(chance), chance.of(["active", "complete", "failed"])],
    ),
  async (s, chance) => {
    const id = `m-${++ids}`;
    await say(s, id, space(chance));
    await s.query("delete from intentions where id = $1", [id]);
  },
  async (s, chance) => {
    await say(s, `m-${++ids}`, space(chance));
    await s.query("savepoint one");
    await say(s, `gone-${++ids}`, space(chance));
    await s.query("rollback to one");
  },
  async (s, chance) => {
    await say(s, `gone-${++ids}`, space(chance));
    throw Object.assign(new Error("rolled back"), { code: "40001" });
  },
  (s, chance) => say(s, `m-${++ids}`, space(chance)).then(() => setTimeout(chance.below(150))),
  (s) => s.query("set constraints all immediate"),
  (s) => s.query("set local synchronous_commit = off"),
];

/** Transactions of one or two works, one after the other. Counts those that were committed. */
export async function keepWriting(s: Session, chance: Chance, isOver: () => boolean): Promise<number> {
  let commits = 0;
  while (!isOver()) {
    const level = chance.is(0.15) ? "repeatable read" : "read committed";
    await s.query(`begin isolation level ${level}`);
    try {
      for (let n = 1 + chance.below(2); n > 0; n--) {
        await (chance.of(chance.is(0.4) ? PAIR_WORKS : WORKS) as Work)(s, chance);
      }
      await s.query("commit");
      commits++;
    } catch (error) {
      if (!REFUSALS.test((error as { code?: string }).code ?? "")) throw error;
      await s.query("rollback");
    }
  }
  return commits;
}
