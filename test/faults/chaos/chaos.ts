import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Chance } from "../../support/process/chance.js";
import { account } from "./account.js";
import { Journal } from "./journal.js";
import { Oracle } from "./oracle.js";
import { storm } from "./storm.js";
import { World } from "./world.js";

export interface ChaosSettings {
  /** Of storm; the quiet phases come on top. */
  minutes: number;
  seed: number;
  clients: number;
  /** A quiet phase comes after so much storm. */
  stormSeconds: number;
  /** Keep the logs also when all is well. */
  keep: boolean;
}

const PROGRESS_MS = 5_000;

/** Storm and quiet in turns. Resolves to the exit code: 0, or 1 when there was anything to object to. */
export async function run(settings: ChaosSettings): Promise<number> {
  const { minutes, seed, clients, stormSeconds, keep } = settings;
  const directory = await mkdtemp(join(tmpdir(), "spacefeed-chaos-"));
  await chmod(directory, 0o711); // Postgres may run as another user
  const journal = new Journal(directory);
  const chance = new Chance(seed);
  const world = new World(journal, chance.fork());
  const oracle = new Oracle(world);
  process.once("exit", () => world.killNow());
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  journal.say(`seed ${seed}, ${minutes} min`);
  const progress = setInterval(() => void say(world), PROGRESS_MS);
  let versions = 0;
  try {
    await world.start(clients);
    await oracle.warmUp();
    let leftMs = minutes * 60_000;
    while (leftMs > 0 && journal.objections.length === 0) {
      const ms = Math.min(leftMs, stormSeconds * 1000);
      journal.say(`storm for ${ms / 1000} s`);
      await storm(world, chance.fork(), ms);
      journal.say("quiet: all is mended, and nobody writes");
      await oracle.check();
      leftMs -= ms;
    }
    versions = await world.postgres.once(async (client) => {
      const { rows } = await client.query<{ all: number }>(
        "select sum(version)::int as all from sync.spaces",
      );
      return rows[0]?.all ?? 0;
    });
    const { counts } = await world.crowd.ask("report");
    process.stdout.write(account({ settings, journal, oracle, versions, seen: counts }));
  } catch (error) {
    journal.object(`the run broke off: ${(error as Error).stack}`);
  } finally {
    clearInterval(progress);
    await world.stop().catch((error) => journal.object(`while stopping: ${error}`));
  }
  if (journal.objections.length === 0) {
    if (keep) journal.say(`the logs are in ${directory}`);
    else await rm(directory, { recursive: true, force: true });
    return 0;
  }
  process.stderr.write(
    `\n${journal.objections.length} objections with seed ${seed}:\n${journal.objections
      .slice(0, 20)
      .map((text) => `- ${text}\n`)
      .join("")}The logs are in ${directory}: chaos.log, relay-a.log, relay-b.log, postgres.log, crowd.log\n`,
  );
  return 1;
}

async function say({ journal, ledger, crowd, meter, stations }: World): Promise<void> {
  await Promise.all(stations.map(({ relay }) => meter.read(relay.url)));
  const report = await crowd?.ask("report").catch(() => undefined);
  if (!report) return;
  for (const fault of report.faults) journal.object(fault);
  const faults = Object.entries(journal.counts).filter(([what]) => what.startsWith("fault: "));
  const { acknowledged, refused, unknown } = ledger.totals;
  journal.say(
    `${faults.reduce((sum, [, times]) => sum + times, 0)} faults; writes: ${acknowledged} acknowledged, ${refused} refused, ` +
      `${unknown} unknown; ${report.counts.events ?? 0} events read; clients: ${Object.entries(report.modes)
        .map(([mode, clients]) => `${clients} ${mode}`)
        .join(", ")}`,
  );
}
