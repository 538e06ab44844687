import { setTimeout as sleep } from "node:timers/promises";
import type { World } from "./world.js";

/** Nothing here is about how long something takes; what has not come by then does not come. */
const PATIENCE_MS = 180_000;
/** Of each relay: a pool of 10, LISTEN, and what it keeps beside them. */
const SESSIONS_OF_RELAY = 14;
const DESCRIPTORS_MORE = 60;
const MEGABYTES_MORE = 200;

interface Weight {
  megabytes: number;
  descriptors: number;
}

/** Looks at a world in which all is quiet, and objects to what must not be. */
export class Oracle {
  /** The relays together, with all clients connected, before anything happened. */
  before: Weight | null = null;
  after: Weight | null = null;

  constructor(readonly world: World) {}

  /** The crowd is there, and has everything. */
  async warmUp(): Promise<void> {
    await this.#differences();
    await sleep(7_000); // connections that are kept for a while are closed
    this.before = this.#weight();
  }

  async check(): Promise<void> {
    const { world } = this;
    await world.mend(PATIENCE_MS);
    const { told, waiting } = await world.crowd.ask("told", PATIENCE_MS);
    if (waiting.length > 0) world.journal.object(`never answered: changes of ${waiting.join(", ")}`);
    for (const { token, table, since, outcome } of told) {
      world.ledger.end({ ...world.ledger.begin("create", token, table), since }, outcome);
    }
    const shown = await this.#differences();
    await this.#ledger();
    await this.#refused();
    await this.#sessions();
    await this.#weights();
    const { counts, faults } = await world.crowd.ask("report");
    for (const fault of faults) world.journal.object(fault);
    world.journal.say(
      `quiet: ${shown ? "every client equals the database" : "NOT every client equals the database"}; ` +
        `${counts.events ?? 0} events read, ${world.journal.objections.length} objections`,
    );
  }

  async #differences(): Promise<boolean> {
    const differences = await this.world.crowd.ask("differences", PATIENCE_MS);
    for (const difference of differences) {
      this.world.journal.count("clients that lost something");
      this.world.journal.object(difference);
    }
    return differences.length === 0;
  }

  /** What was told to writers, against what is there; and then room for more. */
  async #ledger(): Promise<void> {
    const { ledger, journal, postgres } = this.world;
    await postgres.once(async (client) => {
      const { rows: unfiled } = await client.query("select * from sync.verify()");
      for (const row of unfiled) journal.object(`sync.verify(): ${JSON.stringify(row)}`);
      const { rows } = await client.query<{ token: string; rows: number }>(
        `select split_part(id, '#', 1) as token, count(*)::int as rows
         from (select id from public.intentions union all select id from public.beings) as written
         where id like '%#%' group by 1`,
      );
      const { rows: counters } = await client.query<{ id: string; name: string }>(
        "select id, name from public.beings where id like 'counter of %'",
      );
      const faults = ledger.faults(
        new Map(rows.map((row) => [row.token, row.rows])),
        new Map(counters.map(({ id, name }) => [id, Number(name)])),
      );
      for (const fault of faults) journal.object(fault);
    });
  }

  async #refused(): Promise<void> {
    const { ledger, journal, crowd, postgres } = this.world;
    const seen = await crowd.ask("among", ledger.refusedTokens());
    for (const token of seen) journal.object(`refused, and seen by somebody: ${token}`);
    ledger.forget();
    // Checked is checked: the next storm begins with as little as this one did.
    await postgres.once(async (client) => {
      await client.query("delete from public.intentions where id like '%#%'");
      await client.query("delete from public.beings where id like '%#%'");
    });
    if (!(await this.#differences())) journal.object("a large deletion did not reach everybody");
  }

  async #sessions(): Promise<void> {
    const { journal, postgres, stations } = this.world;
    await eventually(
      () =>
        postgres.once(async (client) => {
          const { rows } = await client.query<{ name: string; sessions: number }>(
            `select application_name as name, count(*)::int as sessions from pg_stat_activity
             where backend_type = 'client backend' and application_name not like 'chaos%' group by 1`,
          );
          const all = rows.reduce((sum, { sessions }) => sum + sessions, 0);
          return all > stations.length * SESSIONS_OF_RELAY
            ? `sessions left behind: ${JSON.stringify(rows)}`
            : undefined;
        }),
      (fault) => journal.object(fault),
    );
  }

  async #weights(): Promise<void> {
    await sleep(7_000);
    await eventually(
      async () => {
        this.after = this.#weight();
        const [before, after] = [this.before, this.after];
        if (!before || !after) return undefined;
        const isBack =
          after.descriptors <= before.descriptors + DESCRIPTORS_MORE &&
          after.megabytes <= before.megabytes + MEGABYTES_MORE;
        return isBack
          ? undefined
          : `the relays weigh ${JSON.stringify(after)}, and weighed ${JSON.stringify(before)}`;
      },
      (fault) => this.world.journal.object(fault),
    );
  }

  #weight(): Weight | null {
    const all = this.world.stations.map(({ relay }) => relay.weight());
    return all.reduce<Weight | null>(
      (sum, one) =>
        sum &&
        one && { megabytes: sum.megabytes + one.megabytes, descriptors: sum.descriptors + one.descriptors },
      { megabytes: 0, descriptors: 0 },
    );
  }
}

/** Asks for a fault until there is none, or patience is at its end. */
async function eventually(faultNow: () => Promise<string | undefined>, object: (fault: string) => void) {
  const end = performance.now() + PATIENCE_MS / 3;
  for (;;) {
    const fault = await faultNow();
    if (fault === undefined) return;
    if (performance.now() > end) {
      object(fault);
      return;
    }
    await sleep(2_000);
  }
}
