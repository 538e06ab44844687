import { setTimeout as sleep } from "node:timers/promises";
import { Chance } from "../../support/process/chance.js";
import { HttpProxy } from "../../support/relay/http-proxy.js";
import { CrowdClient, type Told } from "./crowd-client.js";
import { RawReader } from "./raw-reader.js";
import { truthOf } from "./truth.js";
import { Witness } from "./witness.js";

/** Where the crowd gets in: an address for each way to the relays. */
export interface Doors {
  /** To the first relay, to the second, and to one or the other. */
  a: string;
  b: string;
  roaming: string;
  /** Shut most of the time: who uses it lives from what it has. */
  shut: string;
}

export interface CrowdSettings {
  doors: Doors;
  databaseUrl: string;
  spaces: string[];
  clients: number;
  readers: number;
  seed: number;
  /** Milliseconds between two changes of one client, on average. */
  pauseMs: number;
}

/** Of ten clients: five in realtime, two that change over, two whose streams are blocked, one cut off. */
const PLACES = ["a", "b", "roaming", "blocked", "a", "b", "shut", "a", "blocked", "roaming"] as const;

/** The clients of a run, in a process of their own. What it does is asked for by messages. */
export class Crowd {
  readonly #witness = new Witness();
  #settings: CrowdSettings | undefined;
  #clients: CrowdClient[] = [];
  #readers: RawReader[] = [];
  #isWriting = false;

  async start(settings: CrowdSettings): Promise<void> {
    this.#settings = settings;
    const { doors, spaces, seed } = settings;
    const chance = new Chance(seed);
    // As with a proxy that knows no streams: these clients poll.
    const blocked = await HttpProxy.before(doors.a);
    blocked.rule = ({ path }) => (path === "/api/stream" ? { status: 502 } : "pass");
    setInterval(() => blocked.asked.splice(0), 10_000);
    const urls = { ...doors, blocked: blocked.url };
    for (let n = 0; n < settings.clients; n++) {
      const place = PLACES[n % PLACES.length] ?? "a";
      const tier = place === "blocked" ? "polling" : place === "shut" ? "cache" : "realtime";
      const space = spaces[n % spaces.length] ?? "";
      this.#clients.push(new CrowdClient(`c${n}`, tier, urls[place], space, chance.fork(), this.#witness));
    }
    for (let n = 0; n < settings.readers; n++) {
      const url = n % 2 === 0 ? doors.a : doors.b;
      this.#readers.push(new RawReader(`reader ${n}`, url, spaces[n % spaces.length] ?? "", this.#witness));
    }
    for (const client of this.#clients) void this.#keepWriting(client);
  }

  /** Writing begins, or ends. */
  async write(isWriting: boolean): Promise<void> {
    this.#isWriting = isWriting;
  }

  /** What the clients were told of their writes since the last time, once all of them have been answered. */
  async told(patienceMs: number): Promise<{ told: Told[]; waiting: string[] }> {
    const waiting = new Set(this.#clients);
    const all = this.#clients.map((client) => client.settled().then(() => waiting.delete(client)));
    await Promise.race([Promise.all(all), sleep(patienceMs, undefined, { ref: false })]);
    const told = this.#clients.flatMap((client) => client.told.splice(0));
    return { told, waiting: [...waiting].map(({ name }) => name) };
  }

  /** Waits until everybody has what the database has; what is not the same then. */
  async differences(patienceMs: number): Promise<string[]> {
    const { databaseUrl } = this.#settings as CrowdSettings;
    const end = performance.now() + patienceMs;
    let rest = [
      ...this.#clients.map((one) => ({ one, space: one.client.spaceId })),
      ...this.#readers.map((one) => ({ one, space: one.spaceId })),
    ];
    for (;;) {
      const truths = await truthOf(databaseUrl, [...new Set(rest.map(({ space }) => space))]);
      const found: string[] = [];
      rest = rest.filter(({ one, space }) => {
        const truth = truths.get(space);
        const difference = truth ? one.difference(truth) : "is in a space that nobody knows";
        if (difference !== undefined) found.push(`${one.name} (${space}) ${difference}`);
        return difference !== undefined;
      });
      if (rest.length === 0 || performance.now() > end) return found;
      await sleep(1_000);
    }
  }

  async among(tokens: string[]): Promise<string[]> {
    return this.#witness.among(tokens);
  }

  /** How often what was seen, and what should not have been. */
  async report(): Promise<{
    counts: Record<string, number>;
    faults: string[];
    modes: Record<string, number>;
  }> {
    const modes: Record<string, number> = {};
    for (const { client } of this.#clients) {
      const { mode } = client.getSnapshot();
      modes[mode] = (modes[mode] ?? 0) + 1;
    }
    return { counts: this.#witness.counts, faults: this.#witness.faults.splice(0), modes };
  }

  async stop(): Promise<void> {
    for (const { client } of this.#clients) client.close();
    for (const reader of this.#readers) reader.close();
    setTimeout(() => process.exit(0), 200);
  }

  async #keepWriting(client: CrowdClient): Promise<void> {
    const { pauseMs } = this.#settings as CrowdSettings;
    for (;;) {
      await sleep(client.chance.next() * 2 * pauseMs);
      if (this.#isWriting) client.act();
    }
  }
}

/** Does what the process that started this one asks for. */
export function serve(): void {
  const crowd = new Crowd();
  process.on("disconnect", () => process.exit(0));
  process.on(
    "message",
    async ({ id, method, values }: { id: number; method: keyof Crowd; values: [never] }) => {
      try {
        process.send?.({ id, result: await crowd[method](...values) });
      } catch (error) {
        process.send?.({ id, error: String((error as Error).stack) });
      }
    },
  );
}
