import type { Being, Intention } from "../../../src/protocol/messages.js";
import type { Session } from "../postgres/session.js";
import { ModelClient } from "./client.js";
import type { Step } from "./history.js";
import { type Ledger, ModelWriter, type Table } from "./writer.js";

const CLIENTS = 8;

/** Three spaces, their writers and their clients, for one random history. */
export class ModelWorld {
  readonly clients: ModelClient[] = [];
  readonly ledger: Ledger;
  readonly writers: ModelWriter[];
  readonly #epochs: string[];
  readonly #admin: Session;
  readonly #relayUrls: string[];

  private constructor(admin: Session, sessions: Session[], relayUrls: string[], name: string, epoch: string) {
    const spaces = ["a", "b", "c"].map((letter) => `${name}-${letter}`);
    this.#admin = admin;
    this.#relayUrls = relayUrls;
    this.#epochs = [epoch];
    this.ledger = { spaces, versions: new Map(), committed: 0, undone: 0 };
    this.writers = sessions.map((session, i) => new ModelWriter(session, `${name}-w${i}`, this.ledger));
  }

  /** Empties the database, makes the spaces, and has a client of each relay in the first one that stays. */
  static async create(admin: Session, sessions: Session[], relayUrls: string[], name: string) {
    await admin.run("truncate beings, intentions, sync.spaces, sync.changes, sync.notes");
    // A lock that does not come is a refusal, which the model knows as a rollback.
    for (const session of sessions) await session.run("set lock_timeout = 200");
    const epoch = (await admin.value("select sync.epoch()")) as string;
    const world = new ModelWorld(admin, sessions, relayUrls, name, epoch);
    for (const space of world.ledger.spaces) {
      await admin.query("insert into beings (id, type) values ($1, 'space')", [space]);
      world.ledger.versions.set(space, 1);
    }
    await admin.run("select sync.record()");
    for (const relay of relayUrls.keys()) world.#join(0, relay);
    for (const relay of relayUrls.keys()) world.#join(relay, relay);
    return world;
  }

  async take(step: Step): Promise<void> {
    const clients = this.clients;
    switch (step.do) {
      case "write": {
        const done = this.#writer(step.writer).write(step.statement);
        return step.wait ? done : undefined;
      }
      case "begin":
        void this.#writer(step.writer).begin(step.isolation);
        return;
      case "end": {
        const done = this.#writer(step.writer).end(step.verb);
        return step.wait ? done : undefined;
      }
      case "join":
        if (clients.length < CLIENTS) this.#join(step.space, step.relay);
        return;
      case "drop":
        // The first two stay.
        if (step.client >= 2) clients[step.client]?.drop();
        return;
      case "resume": {
        const client = clients[step.client];
        if (!client || step.client < 2) return;
        client.relayUrl = this.#relayUrl(step.relay);
        client.connect(step.standing, step.choice, step.viaHeader);
        return;
      }
      case "settle":
        return this.settle(clients.filter((client) => client.isConnected));
      case "truncate":
        return this.#whenNoneIsOpen(() => this.#truncate(step.table));
      case "prune":
        // May meet a space that an open transaction holds by its immediate constraints.
        await this.#admin.query("set lock_timeout = 200");
        await this.#admin.outcome("select sync.prune('0')");
        await this.#admin.query("reset lock_timeout");
        return;
      case "reset":
        return this.#whenNoneIsOpen(() => this.#reset());
    }
  }

  /** Commits what is open, and records what commits have left; every client comes back. */
  async finish(): Promise<void> {
    for (const writer of this.writers) {
      while (writer.isOpen) await writer.end("commit");
      await writer.settled();
      while (writer.isOpen) await writer.end("commit");
    }
    while (await this.#admin.value("select count(*)::int from sync.notes")) {
      await this.#admin.query("select sync.record()");
    }
    for (const client of this.clients) if (!client.isConnected) client.connect();
  }

  /** Waits until clients stand where the database is; what is committed meanwhile moves the goal. */
  async settle(clients = this.clients): Promise<void> {
    await Promise.all(this.writers.map((writer) => writer.settled()));
    await this.#admin.query("select sync.record()");
    for (const client of clients) {
      await client.until(
        (await this.#admin.value("select sync.current_cursor($1)", [client.spaceId])) as string,
      );
    }
  }

  /** What is not as it should be, once all has settled. */
  async faults(): Promise<unknown[]> {
    const faults: unknown[] = await this.#admin.query("select * from sync.verify()");
    for (const space of this.ledger.spaces) {
      const [state] = await this.#admin.query(
        "select version::int, beings, intentions from sync.snapshot($1, 100000)",
        [space],
      );
      // A version is one or more transactions (P1).
      const transactions = this.ledger.versions.get(space) as number;
      const version = state?.version as number;
      if (!(version >= 1 && version <= transactions))
        faults.push(`${space}: version ${version}, transactions ${transactions}`);
      for (const [index, client] of this.clients.entries()) {
        if (client.spaceId !== space) continue;
        const difference = client.difference(state?.beings as Being[], state?.intentions as Intention[]);
        if (difference) faults.push({ client: index, space, cursor: client.cursor, difference });
      }
    }
    return faults;
  }

  /** Leaves no transaction and no connection open, whatever happened. */
  async end(): Promise<void> {
    for (const client of this.clients) client.drop();
    for (const writer of this.writers) {
      await writer.settled().catch(() => {});
      await writer.session.query("rollback");
    }
  }

  #join(space: number, relay: number): void {
    const { spaces } = this.ledger;
    const spaceId = spaces[space % spaces.length] as string;
    const client = new ModelClient(this.#relayUrl(relay), spaceId, this.#epochs);
    this.clients.push(client);
    client.connect();
  }

  #writer(index: number): ModelWriter {
    return this.writers[index % this.writers.length] as ModelWriter;
  }

  #relayUrl(index: number): string {
    return this.#relayUrls[index % this.#relayUrls.length] as string;
  }

  /** TRUNCATE and reset lock tables, and would wait for ever for what this history commits later. */
  async #whenNoneIsOpen(work: () => Promise<void>): Promise<void> {
    await Promise.all(this.writers.map((writer) => writer.settled()));
    if (!this.writers.some((writer) => writer.isOpen)) await work();
  }

  async #truncate(table: Table): Promise<void> {
    const rows = await this.#admin.query(
      `select distinct location_id from ${table} where location_id is not null`,
    );
    await this.#admin.query(`truncate ${table}`);
    for (const { location_id } of rows) this.#raise(location_id as string);
    for (const writer of this.writers) writer.forget(table);
  }

  async #reset(): Promise<void> {
    const epoch = (await this.#admin.value("select sync.reset()")) as string;
    if (!this.#epochs.includes(epoch)) this.#epochs.push(epoch);
    for (const space of this.ledger.spaces) this.#raise(space);
  }

  #raise(space: string): void {
    this.ledger.versions.set(space, (this.ledger.versions.get(space) ?? 0) + 1);
  }
}
