import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Chance } from "../../support/process/chance.js";
import { fillDisk } from "./disk.js";
import { reopen, type Station, type World } from "./world.js";

/** A fault, from its beginning to its end. `holds`: what no second fault may have at the same time. */
export interface Fault {
  name: string;
  /** It takes so much that the others happen twice as often. */
  isHeavy?: true;
  holds: (chance: Chance) => string;
  strike: (scene: Scene) => Promise<void>;
}

/** Where a fault strikes. */
export interface Scene {
  world: World;
  chance: Chance;
  /** What it holds. */
  held: string;
  /** So long the fault lasts, unless the storm ends before. */
  seconds: (from: number, to: number) => Promise<unknown>;
}

const station = ({ world, held }: Scene) => world.stations[Number(held.at(-1))] as Station;
const someRelay = (chance: Chance) => `relay ${chance.below(2)}`;
const someLine = (chance: Chance) => `line ${chance.below(2)}`;
const postgres = () => "postgres";
const lines = ({ pool, listen }: Station) => [pool, listen];

/** Ends sessions. */
async function terminate(world: World, condition: string): Promise<void> {
  await world.postgres
    .once((client) =>
      client.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${condition}`),
    )
    .catch(() => {}); // Postgres is away, or full
}

export const FAULTS: Fault[] = [
  {
    name: "relay: SIGKILL",
    holds: someRelay,
    strike: (scene) => station(scene).relay.end("SIGKILL"),
  },
  {
    name: "relay: SIGTERM",
    holds: someRelay,
    strike: (scene) => station(scene).relay.end("SIGTERM"),
  },
  {
    name: "relay: SIGSTOP, and SIGCONT",
    holds: someRelay,
    strike: async (scene) => {
      const { relay } = station(scene);
      relay.signal("SIGSTOP");
      await scene.seconds(1, 12);
      relay.signal("SIGCONT");
    },
  },
  {
    name: "relay: step of its clock",
    holds: someRelay,
    strike: async (scene) => station(scene).relay.signal("SIGUSR2"),
  },
  { name: "Postgres: SIGKILL", isHeavy: true, holds: postgres, strike: restart("kill", 0) },
  { name: "Postgres: fast restart", isHeavy: true, holds: postgres, strike: restart("stop", 0) },
  { name: "Postgres: away for 20 s", isHeavy: true, holds: postgres, strike: restart("stop", 20_000) },
  {
    name: "Postgres: SIGKILL of a session",
    isHeavy: true,
    holds: postgres,
    strike: ({ world }) => world.postgres.crash().catch(() => {}),
  },
  { name: "Postgres: too many clients", isHeavy: true, holds: postgres, strike: crowdOut },
  {
    name: "session terminated: LISTEN",
    holds: () => "sessions",
    strike: ({ world }) => terminate(world, "application_name = 'spacefeed listener'"),
  },
  {
    name: "session terminated: pool",
    holds: () => "sessions",
    strike: ({ world }) => terminate(world, "application_name = 'spacefeed'"),
  },
  {
    name: "session terminated: recorder",
    holds: () => "sessions",
    strike: ({ world }) => terminate(world, "application_name = 'spacefeed recorder'"),
  },
  { name: "the recorder's lock is somebody's", holds: () => "recorder", strike: sitOnTheLock },
  {
    name: "session terminated: writer",
    holds: () => "sessions",
    strike: ({ world }) => terminate(world, "application_name like 'chaos writer%'"),
  },
  { name: "pool full: tables locked", isHeavy: true, holds: postgres, strike: lock },
  {
    name: "disk full for writers",
    holds: () => "disk",
    strike: async ({ world, chance, seconds }) => {
      const isFull = chance.is(0.5) ? "at commit" : "at the statement";
      await world.postgres.patiently((client) => fillDisk(client, isFull));
      await seconds(1, 6);
      await world.postgres.patiently((client) => fillDisk(client, "never"));
    },
  },
  {
    name: "client–relay: cut",
    holds: someLine,
    strike: async (scene) => {
      const { door } = station(scene);
      door.refuse();
      door.cut();
      await scene.seconds(0, 4);
      await reopen(door);
    },
  },
  {
    name: "client–relay: half-open",
    holds: someLine,
    strike: async (scene) => {
      const { door } = station(scene);
      door.swallow(scene.chance.of(["both", "to server", "to client"] as const));
      await scene.seconds(1, 8);
      // Pieces of streams are missing: nobody can go on there.
      door.restore();
      door.cut();
    },
  },
  {
    name: "client–relay: stalled, and never told",
    holds: someLine,
    strike: async (scene) => station(scene).door.stall(),
  },
  {
    name: "relay–Postgres: cut",
    holds: someLine,
    strike: async (scene) => {
      for (const line of lines(station(scene))) {
        line.refuse();
        line.cut();
      }
      await scene.seconds(0, 5);
      for (const line of lines(station(scene))) await reopen(line);
    },
  },
  {
    name: "relay–Postgres: half-open",
    holds: someLine,
    strike: async (scene) => {
      const some = scene.chance.of([lines(station(scene)), [station(scene).listen]]) ?? [];
      for (const line of some) line.swallow(scene.chance.of(["both", "to server", "to client"] as const));
      await scene.seconds(1, 20);
      for (const line of some) {
        line.restore();
        line.cut();
      }
    },
  },
  {
    name: "relay–Postgres: stalled, and never told",
    holds: someLine,
    strike: async (scene) => {
      const some = scene.chance.of([lines(station(scene)), [station(scene).listen]]) ?? [];
      for (const line of some) line.stall();
    },
  },
  {
    name: "slow network",
    holds: someLine,
    strike: async (scene) => {
      const { door, pool, listen } = station(scene);
      const slow = scene.chance.is(0.5) ? [door] : [pool, listen];
      for (const line of slow) line.slow(scene.chance.below(150), 20 + scene.chance.below(200));
      await scene.seconds(2, 10);
      for (const line of slow) line.slow(0);
    },
  },
  {
    name: "client changes over to the other relay",
    holds: () => "roaming",
    strike: async ({ world, chance }) => {
      const to = chance.of(world.stations)?.relay.url;
      if (to) world.roaming.lead(to);
      world.roaming.cut();
    },
  },
  {
    name: "client cut off for long",
    holds: () => "shut",
    strike: async ({ world, seconds }) => {
      world.shut.refuse();
      world.shut.cut();
      await seconds(8, 20);
      await reopen(world.shut);
      await seconds(1, 5);
    },
  },
];

function restart(how: "kill" | "stop", awayMs: number): Fault["strike"] {
  return async ({ world: { postgres } }) => {
    await postgres[how]();
    await sleep(awayMs);
    await postgres.start();
  };
}

/** Takes every connection that Postgres has, and those of the relays first: they come back to a closed door. */
async function crowdOut({ world, seconds }: Scene): Promise<void> {
  const held: pg.Client[] = [];
  try {
    await terminate(world, "application_name like 'spacefeed%'");
    for (;;) held.push(await world.postgres.connect("chaos hog"));
  } catch (error) {
    world.journal.note(`${held.length} connections more, then: ${(error as Error).message}`);
    await seconds(2, 6);
  } finally {
    await Promise.all(held.map((client) => client.end().catch(() => {})));
  }
}

/** No relay can be the recorder, also not who is: its session is ended. Commits have to record themselves. */
async function sitOnTheLock({ world, seconds }: Scene): Promise<void> {
  const client = await world.postgres.connect("chaos recorder").catch(() => undefined);
  if (!client) return;
  try {
    for (let tries = 0; tries < 20; tries++) {
      await terminate(world, "application_name = 'spacefeed recorder'");
      const { rows } = await client.query("select sync.lead(true) as leads");
      if (rows[0].leads) break;
    }
    await client.query("set idle_session_timeout = 0");
    await seconds(2, 8);
  } catch {
    // Postgres went away
  } finally {
    await client.end().catch(() => {});
  }
}

/** Whoever reads waits: in the relay until its pool is full, and longer than its patience with a query. */
async function lock({ world, seconds }: Scene): Promise<void> {
  const client = await world.postgres.connect("chaos lock").catch(() => undefined);
  if (!client) return;
  try {
    await client.query("begin");
    await client.query("set local lock_timeout = '5s'");
    await client.query("lock table public.intentions, sync.changes in access exclusive mode");
    await seconds(2, 14);
  } catch {
    // it did not get them, or Postgres went away
  } finally {
    await client.end().catch(() => {});
  }
}
