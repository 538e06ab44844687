import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { history, type Step, WRITERS } from "../../support/model/history.js";
import { ModelWorld } from "../../support/model/world.js";
import { useDatabase } from "../../support/postgres/database.js";
import { Session } from "../../support/postgres/session.js";
import { useRelay } from "../../support/relay/relay.js";

// A fixed seed and a fresh one, 10 s each; PROPERTY_MINUTES=2 runs fresh seeds for so long instead.
// A failure prints its seed and path: PROPERTY_SEED and PROPERTY_PATH run it again.
const MINUTES = Number(process.env.PROPERTY_MINUTES ?? 0);
const GIVEN = process.env.PROPERTY_SEED;
const SEEDS = GIVEN
  ? [Number(GIVEN)]
  : MINUTES
    ? Array.from({ length: Math.max(1, Math.round(MINUTES * 2)) }, freshSeed)
    : [20_250_728, freshSeed()];
const SECONDS = MINUTES && !GIVEN ? (MINUTES * 60) / SEEDS.length : 10;

const db = useDatabase();
// Two relays serve the database, and a client may come back to another one.
const many = useRelay(db, { heartbeatMs: 100 });
const few = useRelay(db, { heartbeatMs: 100, catchUpLimit: 6 });
let admin: Session;
let sessions: Session[];
const totals: Record<string, number> = {};

beforeAll(async () => {
  admin = await Session.open(db, "admin");
  sessions = await Promise.all(Array.from({ length: WRITERS }, (_, i) => Session.open(db, `writer ${i}`)));
});

test.for(SEEDS)(
  "P1, P3, P4, P5: whatever writers and clients do, every client ends equal to the database (seed %i)",
  { timeout: SECONDS * 1000 + 120_000 },
  async (seed) => {
    const property = fc.asyncProperty(history, live);
    const path = process.env.PROPERTY_PATH;
    const deadline = Date.now() + SECONDS * 1000;
    // A time limit of fast-check's own would leave its last run behind.
    for (let next = seed; next === seed || Date.now() < deadline; next++) {
      await fc.assert(property, {
        seed: next,
        numRuns: 5,
        interruptAfterTimeLimit: 100_000, // for the shrinking
        ...(path && { path }),
      });
    }
    process.stdout.write(`convergence, seed ${seed}, in all so far: ${JSON.stringify(totals)}\n`);
  },
);

let runs = 0;

async function live(steps: Step[]): Promise<void> {
  const relays = [many.current.url, few.current.url];
  const world = await ModelWorld.create(admin, sessions, relays, `r${++runs}`);
  try {
    for (const step of steps) await world.take(step);
    await world.finish();
    await world.settle();
    expect(await world.faults()).toEqual([]);
    for (const client of world.clients) expect(client.fault).toBeUndefined();
    count(world);
  } finally {
    await world.end();
  }
}

function count({ ledger, clients }: ModelWorld): void {
  const add = (name: string, n: number) => {
    totals[name] = (totals[name] ?? 0) + n;
  };
  add("runs", 1);
  add("transactions", ledger.committed);
  add("refused", ledger.undone);
  add("clients", clients.length);
  for (const client of clients) {
    for (const [name, n] of Object.entries(client.counts)) add(name, n);
  }
}

function freshSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}
