import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { type Step, WRITERS, writersOnly } from "../support/model/history.js";
import { ModelWorld } from "../support/model/world.js";
import { useDatabase } from "../support/postgres/database.js";
import { progress, type Row, Session } from "../support/postgres/session.js";
import type { FeedEvent } from "../support/relay/feed.js";

/** A space's beings and messages, by their kind and ID. */
type State = Map<string, unknown>;
/** A state that was kept, and what of it was not recorded yet: that comes once more. */
interface Keeping {
  state: State;
  pending: Set<string>;
}
/** The states of a space that were kept, by their versions. */
type Kept = Map<number, Keeping>;

const SECONDS = 8;
const db = useDatabase();
let admin: Session;
let sessions: Session[];

beforeAll(async () => {
  admin = await Session.open(db, "admin");
  sessions = await Promise.all(Array.from({ length: WRITERS }, (_, i) => Session.open(db, `writer ${i}`)));
});

test.for([20_250_725, Math.floor(Math.random() * 2 ** 31)])(
  "P2, P3, P5: the state at v and the events v..w are the state at w, for every v < w (seed %i)",
  { timeout: 120_000 },
  async (seed) => {
    const deadline = Date.now() + SECONDS * 1000;
    for (let next = seed; next === seed || Date.now() < deadline; next++) {
      await fc.assert(fc.asyncProperty(writersOnly, live), {
        seed: next,
        numRuns: 5,
        interruptAfterTimeLimit: 60_000,
      });
    }
    expect(pairs).toBeGreaterThan(0);
    expect(whole).toBeGreaterThan(0);
  },
);

let runs = 0;
let looks = 0;
let pairs = 0;
let whole = 0;

async function live(steps: Step[]): Promise<void> {
  const world = await ModelWorld.create(admin, sessions, [], `r${++runs}`);
  const kept = new Map<string, Kept>(world.ledger.spaces.map((space) => [space, new Map()]));
  const look = async () => {
    if (++looks % 2) await admin.query("select sync.record()");
    for (const [space, states] of kept) await compare(space, states);
  };
  try {
    await look();
    for (const step of steps) {
      await world.take(step);
      if (step.do === "settle") await look();
    }
    await world.finish();
    await look();
    for (const states of kept.values()) expect([...states.values()].at(-1)?.pending).toEqual(new Set());
    expect(await world.faults()).toEqual([]);
  } finally {
    await world.end();
  }
}

/** Brings each kept state to the present by events, and keeps the present one. */
async function compare(space: string, states: Kept): Promise<void> {
  const [snapshot] = await admin.query(
    "select version::int, cursor, beings, intentions from sync.snapshot($1, 100000)",
    [space],
  );
  const state = snapshot as { version: number; cursor: string; beings: Row[]; intentions: Row[] };
  const { version, cursor } = state;
  const present: State = new Map();
  for (const being of state.beings) present.set(`being ${being.id}`, being);
  for (const intention of state.intentions) present.set(`intention ${intention.id}`, intention);
  const notes = await admin.query(
    "select distinct entity_type || ' ' || unnest(entity_ids) as key from sync.notes where space_id = $1",
    [space],
  );
  const pending = new Set(notes.map(({ key }) => key as string));

  const versions = [...states.keys()];
  const answers = await admin.query(
    "select since::int, version::int, cursor, events from sync.changes_since($1, $2, 100000)",
    [versions.map(() => space), versions],
  );
  expect(answers).toHaveLength(versions.length);
  for (const answer of answers) {
    const since = answer.since as number;
    const events = (answer.events as string[]).map((event) => JSON.parse(event) as FeedEvent);
    expect(answer).toMatchObject({ version, cursor });
    expect(events.length === 0).toBe(since === version);
    if (since < version) expect(events.at(-1)).toMatchObject({ version, prev: since, cursor });
    const next = applied(states.get(since) as Keeping, since, events);
    // Of the rows that wait for the next version an answer has all (P5), or none: then they alone may be missing.
    const isWhole = !pending.size || events.some((event) => pending.has(keyOf(event)));
    if (isWhole) expect(next).toEqual(present);
    else expect(without(next, pending)).toEqual(without(present, pending));
    pairs++;
    if (isWhole && since < version) whole++;
  }
  states.set(version, { state: present, pending });
}

const keyOf = (event: FeedEvent) => `${event.type.split("-")[0]} ${event.data?.id ?? event.id}`;
const without = (state: State, keys: Set<string>) => new Map([...state].filter(([key]) => !keys.has(key)));

function applied({ state, pending }: Keeping, since: number, events: FeedEvent[]): State {
  const next = new Map(state);
  let last = since + 1;
  for (const event of events) {
    const [, verb] = event.type.split("-");
    const key = keyOf(event);
    expect(event.version, "in version order").toBeGreaterThanOrEqual(last);
    last = event.version;
    if (verb === "updated" && !pending.has(key)) expect(state.has(key), `${key} was there`).toBe(true);
    if (verb === "deleted") next.delete(key);
    else next.set(key, event.data);
  }
  return next;
}

// TRUNCATE is not MVCC-safe: who waits for its lock with an older snapshot finds the table empty.
test.for([
  [
    "a snapshot",
    "select version::int, json_array_length(intentions) as messages from sync.snapshot('s', 10)",
  ],
  ["a catch-up", "select version::int, events::text as messages from sync.changes_since('{s}', '{1}', 10)"],
] as const)("P7: %s that waits for a TRUNCATE is of one state of the space", async ([, statement]) => {
  const [writer, reader] = sessions as [Session, Session];
  await admin.run("truncate beings, intentions, sync.spaces, sync.changes");
  await admin.run("insert into beings (id, type) values ('s', 'space')");
  await admin.run("insert into intentions (location_id) values ('s')");
  const [before] = await reader.query(statement);
  await reader.run("set lock_timeout = 0");
  await writer.run("begin", "truncate intentions");
  const pending = reader.outcome(statement);
  expect(await progress(admin, pending, reader, writer)).toBe("waits");
  await writer.run("commit");
  const [after] = await reader.query(statement);
  expect([before, after]).toContainEqual((await pending).rows?.[0]);
});
