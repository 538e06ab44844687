import { createHistogram } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import { pino } from "pino";
import type { Subscriber } from "../../../src/server/feed/audience.js";
import { Hub } from "../../../src/server/feed/hub.js";
import { Database, type Opening } from "../../../src/server/postgres/functions.js";
import type { RecorderOptions } from "../../../src/server/postgres/recorder.js";
import type { TestDatabase } from "../../support/postgres/database.js";
import { TestRecorder } from "../../support/postgres/recorder.js";
import type { Session } from "../../support/postgres/session.js";
import type { Chance } from "../../support/process/chance.js";

/** A hub that reads every space, fed by a recorder and its listener alone: without the backstop, a lost wake-up stays lost. */
export class StressedRelay {
  /** When a message was delivered here, by its ID. */
  readonly seen = new Map<string, number>();
  readonly recorder: TestRecorder;
  readonly #database: Database;
  readonly #hub: Hub;
  /** The most queries of the recorder that were ever under way at once. */
  mostInFlight = 0;
  #inFlight = 0;

  readonly #ledger: Ledger;

  constructor(db: TestDatabase, options: Partial<RecorderOptions>, ledger: Ledger) {
    this.#ledger = ledger;
    ledger.relays.push(this);
    const log = pino({ level: process.env.TEST_LOG ?? "silent" });
    this.recorder = new TestRecorder(db, { ...options, onOverlooked: () => this.#hub.wakeAll() }, (spaceId) =>
      this.#hub.wake(spaceId),
    );
    const { metrics, database: asked } = this.recorder;
    this.#database = new Database(db.url, log, metrics);
    this.#hub = new Hub({
      database: this.#database,
      metrics,
      log,
      catchUpLimit: 100_000, // never a snapshot, in which no message is told from another
      heartbeatMs: 1_000_000,
    });
    const query = asked.query.bind(asked);
    asked.query = <Row extends pg.QueryResultRow>(...of: Parameters<typeof query>) => {
      this.mostInFlight = Math.max(this.mostInFlight, ++this.#inFlight);
      return query<Row>(...of).finally(() => this.#inFlight--);
    };
  }

  async start(spaceIds: string[]): Promise<void> {
    const { seen } = this;
    const ledger = this.#ledger;
    for (const spaceId of spaceIds) {
      const [cursor] = (await this.#database.open([{ claims: null, spaceId, since: null }])) as [Opening];
      const reader: Subscriber = {
        cursor,
        needsSnapshot: false,
        isAside: false,
        reached: () => null,
        deliver: ({ frame, cursor }) => {
          reader.cursor = cursor;
          const now = performance.now();
          for (const [, event] of frame.toString().matchAll(/^data: (.*)$/gm)) {
            const { id } = (JSON.parse(event as string) as { data: { id: string } }).data;
            seen.set(id, now);
            const committed = ledger.committed.get(id);
            if (committed !== undefined) ledger.delayed(now - committed);
          }
        },
        heartbeat: () => {},
        gone: () => {},
        end: () => {},
      };
      this.#hub.join(spaceId, cursor, cursor.version, reader);
    }
    await this.recorder.start();
  }

  async count(metric: "recordings" | "sleepChanges" | "wakeUps"): Promise<number> {
    return (await this.recorder.metrics[metric].get()).values[0]?.value ?? 0;
  }

  async close(): Promise<void> {
    await this.recorder.close();
    this.#hub.close();
    await this.#database.close();
  }
}

/** What the writers have done, and how long the relays took to see it. */
export class Ledger {
  /** When each message was committed, by its ID. */
  readonly committed = new Map<string, number>();
  readonly undone = new Set<string>();
  refused = 0;
  readonly relays: StressedRelay[] = [];
  /** From the answer to a commit until a relay has delivered it, in microseconds. It may have come first. */
  readonly delays = createHistogram();

  commit(id: string, now: number): void {
    this.committed.set(id, now);
    for (const { seen } of this.relays) if (seen.has(id)) this.delayed(0);
  }

  delayed(milliseconds: number): void {
    this.delays.record(Math.max(1, Math.round(milliseconds * 1_000)));
  }
}

let ids = 0;

/** One session that writes in every way until it is told to stop, with pauses that let the relays fall asleep. */
export async function write(
  session: Session,
  chance: Chance,
  spaces: string[],
  ledger: Ledger,
  until: () => boolean,
) {
  while (!until()) {
    const messages: string[] = [];
    const insert = async (into = messages) => {
      const id = `m${++ids}`;
      into.push(id);
      const spaceId = chance.is(0.1) ? spaces[0] : chance.of(spaces);
      await session.query("insert into intentions (id, location_id) values ($1, $2)", [id, spaceId]);
    };
    try {
      await transaction(session, chance, insert, ledger.undone);
      const now = performance.now();
      for (const id of messages) ledger.commit(id, now);
    } catch (error) {
      // Serializable ones can refuse one another, as everywhere.
      if (!["40001"].includes((error as { code?: string }).code ?? "")) throw error;
      await session.run("rollback");
      for (const id of messages) ledger.undone.add(id);
      ledger.refused++;
    }
    if (chance.is(0.15)) await pause(chance.below(200));
  }
}

async function transaction(
  session: Session,
  chance: Chance,
  insert: (into?: string[]) => Promise<void>,
  undone: Set<string>,
): Promise<void> {
  if (chance.is(0.5)) return insert();
  const level = chance.of(["read committed", "read committed", "repeatable read", "serializable"]);
  await session.run(`begin isolation level ${level}`);
  if (level !== "read committed") await session.run("select 1"); // its snapshot, long before its xid
  if (chance.is(0.1)) await pause(chance.below(300));
  await insert();
  if (chance.is(0.2)) {
    const lost: string[] = [];
    await session.run("savepoint s");
    await insert(lost);
    await session.run(chance.is(0.5) ? "set constraints all immediate" : "select 1", "rollback to s");
    for (const id of lost) undone.add(id);
  }
  // Filed now, with what is read now of who sleeps, and committed later.
  if (chance.is(0.3)) await session.run("set constraints all immediate");
  if (chance.is(0.1)) await pause(chance.below(1_000));
  for (let more = chance.below(4); more > 0; more--) await insert();
  await session.run("commit");
}
