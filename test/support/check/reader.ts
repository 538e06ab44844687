import { setTimeout } from "node:timers/promises";
import type { Row, Session } from "../postgres/session.js";
import type { Chance } from "../process/chance.js";
import type { FeedEvent } from "../relay/feed.js";

/** A space as a reader has it: its entities by kind and ID, and the newest stamp that it has seen of each pair. */
interface Replica {
  space: string;
  version: number;
  state: Map<string, Row>;
  stamps: Map<string, number>;
}

/**
 * Follows spaces by snapshots and events, in turns over its sessions, as a client that changes relays. Two beings
 * "p-…-a" and "p-…-b" are a pair: they are in one space and have the same name, a number that only rises. What is
 * called "gone-…" is never committed.
 */
export class CheckReader {
  readonly #replicas: Replica[];
  #turn = 0;
  looks = 0;
  events = 0;
  snapshots = 0;

  constructor(
    readonly name: string,
    readonly sessions: Session[],
    spaces: string[],
    readonly chance: Chance,
    readonly fault: (fault: string) => void,
    /** How often it forgets what it has, and takes a snapshot. */
    readonly forgets = 0,
  ) {
    this.#replicas = spaces.map((space) => ({ space, version: -1, state: new Map(), stamps: new Map() }));
  }

  async follow(every: number, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      // A reader yields to who has locked a table, and asks again.
      await this.look(100).catch((error) => {
        if (error.code !== "55P03") throw error;
      });
      await setTimeout(every);
    }
  }

  /** As follow(), in transactions with one snapshot each: what it has and what there is may differ in what waits only. */
  async compare(session: Session, every: number, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await session.run(
        "begin isolation level repeatable read",
        "lock table beings, intentions in access share mode",
      );
      await this.look(1000, session);
      const notes = await session.query(
        `select n.space_id || ' ' || n.entity_type || coalesce(' ' || e, '') as key
         from sync.notes n left join unnest(n.entity_ids) e on true`,
      );
      const waiting = new Set(notes.map(({ key }) => key as string));
      for (const { space, version, state } of this.#replicas) {
        const now: Replica = { space, version: -1, state: new Map(), stamps: new Map() };
        await this.#snapshot(session, now);
        for (const key of new Set([...state.keys(), ...now.state.keys()])) {
          const isWaiting = waiting.has(`${space} ${key}`) || waiting.has(`${space} ${key.split(" ")[0]}`);
          if (!isWaiting && JSON.stringify(state.get(key)) !== JSON.stringify(now.state.get(key)))
            this.fault(`${this.name}: ${space}@${version}: ${key} is not what it is in the table`);
        }
      }
      await session.run("commit");
      await setTimeout(every);
    }
  }

  async look(max: number, given?: Session): Promise<void> {
    const session = given ?? (this.sessions[this.#turn++ % this.sessions.length] as Session);
    for (const replica of this.#replicas) {
      if (replica.version < 0 || this.chance.is(this.forgets)) await this.#snapshot(session, replica);
    }
    const known = this.#replicas.filter(({ version }) => version >= 0);
    const rows = await session.query(
      "select space_id, version::int, events from sync.changes_since($1, $2, $3)",
      [known.map(({ space }) => space), known.map(({ version }) => version), max],
    );
    this.looks++;
    for (const row of rows) {
      const replica = known.find(({ space }) => space === row.space_id) as Replica;
      if (row.events === null) await this.#snapshot(session, replica);
      else this.#apply(replica, row.version as number, row.events as string[]);
    }
  }

  /** What the reader has, once all is at rest, beside what there is. */
  async ends(session: Session): Promise<void> {
    await this.look(1_000_000);
    for (const { space, version, state } of this.#replicas) {
      const now: Replica = { space, version: -1, state: new Map(), stamps: new Map() };
      await this.#snapshot(session, now);
      if (now.version !== version)
        this.fault(`${this.name}: ${space} ends at ${version}, not ${now.version}`);
      const [has, wanted] = [state, now.state].map((s) => JSON.stringify([...s].sort()));
      if (has !== wanted)
        this.fault(`${this.name}: ${space} ends with ${state.size} of ${now.state.size} rows`);
    }
  }

  async #snapshot(session: Session, replica: Replica): Promise<void> {
    const [row] = await session.query(
      "select version::int, beings, intentions from sync.snapshot($1, 1000000)",
      [replica.space],
    );
    if (!row) return;
    this.snapshots++;
    const version = row.version as number;
    if (version < replica.version) this.fault(`${this.name}: ${replica.space} went back to ${version}`);
    replica.version = version;
    replica.state = new Map([
      ...(row.beings as Row[]).map((being) => [`being ${being.id}`, being] as const),
      ...(row.intentions as Row[]).map((message) => [`intention ${message.id}`, message] as const),
    ]);
    this.#check(replica);
  }

  #apply(replica: Replica, version: number, texts: string[]): void {
    if (texts.length === 0) return;
    const events = texts.map((text) => JSON.parse(text) as FeedEvent);
    const last = events.at(-1) as FeedEvent;
    if (last.prev !== replica.version || last.version > version || version <= replica.version) {
      this.fault(`${this.name}: a gap in ${replica.space}: ${replica.version}, ${last.prev} to ${version}`);
    }
    for (const event of events) {
      const [type, verb] = event.type.split("-");
      const key = `${type} ${event.data?.id ?? event.id}`;
      if (verb === "deleted") replica.state.delete(key);
      else if (event.data) replica.state.set(key, event.data);
      else this.fault(`${this.name}: ${event.type} without data`);
    }
    this.events += events.length;
    replica.version = version;
    this.#check(replica);
  }

  #check({ space, version, state, stamps }: Replica): void {
    const pairs = new Map<string, unknown[]>();
    for (const [key, { id, name }] of state) {
      if (key.includes("gone-")) this.fault(`${this.name}: a phantom in ${space}@${version}: ${key}`);
      if (!key.startsWith("being p-")) continue;
      const pair = (id as string).slice(0, -1);
      pairs.set(pair, [...(pairs.get(pair) ?? []), name]);
    }
    for (const [pair, names] of pairs) {
      const stamp = Number(names[0]);
      if (names.length !== 2 || names[0] !== names[1])
        this.fault(`${this.name}: torn in ${space}@${version}: ${pair} ${names}`);
      if (stamp < (stamps.get(pair) ?? 0))
        this.fault(
          `${this.name}: a step back in ${space}@${version}: ${pair} ${stamps.get(pair)} to ${stamp}`,
        );
      stamps.set(pair, stamp);
    }
  }
}
