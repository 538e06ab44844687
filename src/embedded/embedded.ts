import * as fs from "node:fs/promises";
import { join } from "node:path";
import { SpacefeedError } from "../protocol/errors.js";
import { findBinaries, reasonOf } from "./binaries.js";
import { claim } from "./owner.js";
import { end, endOrphan, start, urlOf } from "./postmaster.js";
import { exists, findSite, run, type Site, unusable } from "./site.js";

/** A Postgres 18 that this process started and owns. */
export interface EmbeddedPostgres {
  /** `postgres://postgres@127.0.0.1:<port>/spacefeed`; the database exists. */
  url: string;
  /** Resolves, never rejects, once Postgres has ended for whatever reason, to how it ended and its last lines. */
  exited: Promise<string>;
  /** Ends Postgres in order and frees the data directory, within 4.5 s; every call gives the same promise. */
  stop(): Promise<void>;
}

/**
 * Starts Postgres on 127.0.0.1 with its data in `dataDir` (created when missing) and the database
 * `spacefeed` in it. `port` is the preferred one; when taken, a free one. An orphan of a killed Spacefeed is ended
 * first. `log` gets single lines. Installs no signal handler: whoever calls it calls `stop()`. Throws
 * {@link SpacefeedError} `config`, whose message has Postgres' own reason, when it cannot start within 30 s or when
 * another living process has the data directory.
 */
export async function startEmbedded(options: {
  dataDir: string;
  port?: number;
  log: (message: string) => void;
}): Promise<EmbeddedPostgres> {
  const { dataDir, port: preferred = 54329, log } = options;
  let release = async () => {};
  try {
    const site = await findSite(dataDir, log);
    release = await claim(site);
    const bin = await findBinaries(site);
    await createCluster(site, bin, log);
    await endOrphan(site, log);
    const { port, running } = await start(site, bin, preferred);
    if (port !== preferred) log(`port ${preferred} is taken: Postgres listens on ${port}`);
    let stopping: Promise<void> | undefined;
    const stop = () => {
      stopping ??= end(running).then(release);
      return stopping;
    };
    return { url: urlOf(port), exited: running.exited, stop };
  } catch (error) {
    await release();
    if (error instanceof SpacefeedError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw unusable(
      `cannot run Postgres with its data in ${dataDir}: ${reason}\nChoose another DATA_DIR`,
      error,
    );
  }
}

/** Creates the cluster when there is none: all of it or, should it be interrupted, nothing. */
async function createCluster(site: Site, bin: string, log: (message: string) => void): Promise<void> {
  const { home, pgdata, spawning } = site;
  const remove = (path: string) => fs.rm(path, { recursive: true, force: true, maxRetries: 5 });
  const prefix = "postgres.init-";
  for (const name of await fs.readdir(home)) if (name.startsWith(prefix)) await remove(join(home, name));
  if (await exists(pgdata)) return;
  log(`creating a Postgres cluster in ${pgdata}`);
  const draft = await fs.mkdtemp(join(home, prefix));
  try {
    const { uid, gid = 0 } = spawning;
    if (uid !== undefined) await fs.chown(draft, uid >>> 0, gid >>> 0);
    // Trust is for loopback only: initdb's pg_hba.conf has no other address, and Postgres listens on no other.
    const settings = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"];
    const collation = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
    await run(join(bin, "initdb"), ["-D", draft, ...settings, ...collation], spawning);
    await fs.rename(draft, pgdata);
  } catch (error) {
    await remove(draft);
    throw unusable(
      `initdb failed in ${home}: ${reasonOf(error as Error)}\nCorrect that, choose another DATA_DIR`,
      error,
    );
  }
  if (process.platform === "win32") return; // which cannot sync a directory
  // After a power cut the cluster must not be back under the name that the next start sweeps away.
  const directory = await fs.open(home);
  await directory.sync().finally(() => directory.close());
}
