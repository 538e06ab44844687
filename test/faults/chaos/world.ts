import { setTimeout as sleep } from "node:timers/promises";
import { migrate } from "../../../src/server/postgres/migrate.js";
import type { Chance } from "../../support/process/chance.js";
import { TcpProxy } from "../../support/relay/tcp-proxy.js";
import { ApiWriter } from "./api-writer.js";
import { CrowdProcess } from "./crowd-process.js";
import { installDisk } from "./disk.js";
import type { Journal } from "./journal.js";
import { Ledger } from "./ledger.js";
import { Meter } from "./meter.js";
import { Postgres } from "./postgres.js";
import { RelayProcess } from "./relay-process.js";
import { furnish, spaceNamed } from "./space.js";
import { SqlWriter } from "./sql-writer.js";

/** A relay, and the lines to and from it. */
export interface Station {
  relay: RelayProcess;
  /** For who comes to it. */
  door: TcpProxy;
  pool: TcpProxy;
  listen: TcpProxy;
}

const SPACES = 12;
const SQL_WRITERS = 4;
const API_WRITERS = 4;
const READERS = 8;
const CLIENT_PAUSE_MS = 12_000;

/** All that runs: Postgres, two relays behind proxies, writers, and the crowd. */
export class World {
  readonly ledger = new Ledger();
  readonly meter = new Meter();
  readonly postgres: Postgres;
  readonly spaces = Array.from({ length: SPACES }, (_, n) => spaceNamed(n));
  stations: Station[] = [];
  /** Doors that lead to one relay or the other, and that are shut most of the time. */
  roaming!: TcpProxy;
  shut!: TcpProxy;
  crowd!: CrowdProcess;
  sqlWriters: SqlWriter[] = [];
  apiWriters: ApiWriter[] = [];
  /** It holds transactions open, and truncates. */
  slowWriter!: SqlWriter;

  constructor(
    readonly journal: Journal,
    readonly chance: Chance,
  ) {
    this.postgres = new Postgres(journal.directory, journal);
  }

  async start(clients: number): Promise<void> {
    const { journal, postgres, chance, spaces, ledger } = this;
    await postgres.start();
    await migrate(postgres.url, "up");
    const names = Array.from({ length: SQL_WRITERS }, (_, n) => `sql${n}`);
    await postgres.once(async (client) => {
      await furnish(client, spaces, [...names, "slow"]);
      await installDisk(client);
    });
    journal.say(`Postgres runs; its log and all others are in ${journal.directory}`);

    const doors: string[] = [];
    for (const name of ["a", "b"]) {
      const [pool, listen] = [await TcpProxy.before(postgres.url), await TcpProxy.before(postgres.url)];
      const settings = { DATABASE_URL: pool.url, LISTEN_DATABASE_URL: listen.url };
      const relay = new RelayProcess(name, settings, journal);
      await relay.start();
      const door = await TcpProxy.before(relay.url);
      doors.push(originOf(door.url));
      this.stations.push({ relay, door: door.proxy, pool: pool.proxy, listen: listen.proxy });
    }
    const [a = "", b = ""] = doors;
    const [roaming, shut] = [await TcpProxy.before(a), await TcpProxy.before(b)];
    [this.roaming, this.shut] = [roaming.proxy, shut.proxy];
    journal.say(`two relays run, at ${this.stations.map(({ relay }) => relay.url).join(" and ")}`);

    const writer = (name: string) => new SqlWriter(name, postgres, ledger, journal, chance.fork(), spaces);
    this.sqlWriters = names.map(writer);
    this.slowWriter = writer("slow");
    for (let n = 0; n < API_WRITERS; n++) {
      this.apiWriters.push(new ApiWriter(`api${n}`, [a, b], ledger, journal, chance.fork(), spaces));
    }
    this.crowd = new CrowdProcess(journal);
    await this.crowd.ask("start", {
      doors: { a, b, roaming: originOf(roaming.url), shut: originOf(shut.url) },
      databaseUrl: postgres.url,
      spaces,
      clients,
      readers: READERS,
      seed: Math.floor(chance.next() * 2 ** 31),
      pauseMs: CLIENT_PAUSE_MS,
    });
    journal.say(`${clients} clients and ${READERS} raw readers run`);
  }

  get proxies(): TcpProxy[] {
    return [
      ...this.stations.flatMap(({ door, pool, listen }) => [door, pool, listen]),
      this.roaming,
      this.shut,
    ];
  }

  /** All is well again. Lines that were whole stay: what they did not bring must come by them. */
  async mend(patienceMs: number): Promise<void> {
    await this.postgres.start();
    for (const { relay } of this.stations) relay.signal("SIGCONT");
    for (const proxy of this.proxies) {
      proxy.restore();
      await reopen(proxy);
    }
    for (const { relay } of this.stations) {
      if (!(await relay.answers(patienceMs)))
        this.journal.object(`relay ${relay.name} is not ready when all is well`);
    }
  }

  async stop(): Promise<void> {
    await this.crowd?.stop();
    for (const { relay } of this.stations) {
      relay.signal("SIGCONT");
      await relay.stop();
    }
    for (const writer of [...this.sqlWriters, this.slowWriter]) await writer?.session.close();
    for (const proxy of this.proxies) proxy?.close();
    await this.postgres.stop();
  }

  /** No process of ours outlives us. */
  killNow(): void {
    this.crowd?.killNow();
    for (const { relay } of this.stations) relay.killNow();
    this.postgres.killNow();
  }
}

/** Its port is one that the system may have given to somebody meanwhile, for a moment. */
export async function reopen(proxy: TcpProxy): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await proxy.accept();
      return;
    } catch (error) {
      if (tries === 60) throw error;
      proxy.refuse();
      await sleep(1_000);
    }
  }
}

const originOf = (url: string) => new URL(url).origin;
