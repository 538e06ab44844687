import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { appendFile, chmod, chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { freePort } from "../process/free-port.js";
import { Session } from "./session.js";
import { unprivileged } from "./unprivileged.js";

const run = promisify(execFile);
const TOOLS = ["initdb", "postgres", "pg_ctl", "pg_basebackup", "pg_dump", "pg_restore"];
const DEBIAN = "/usr/lib/postgresql";
const debian = existsSync(DEBIAN)
  ? readdirSync(DEBIAN)
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(DEBIAN, version, "bin"))
  : [];

/** Where a Postgres with all of its tools is; undefined where there is none. The embedded one has no pg_basebackup. */
export const POSTGRES_BIN = [...(process.env.PATH ?? "").split(delimiter), ...debian].find((directory) =>
  TOOLS.every((tool) => existsSync(join(directory, tool))),
);

const SETTINGS =
  "listen_addresses=127.0.0.1 unix_socket_directories= fsync=off shared_buffers=16MB wal_keep_size=64MB";

/** A Postgres cluster of a test: a data directory, and a port on which it is or is not. */
export class Cluster {
  readonly #clients: pg.Client[] = [];

  private constructor(
    readonly root: string,
    readonly name: string,
    /** Where its next start is. */
    public port: number,
  ) {}

  /** A directory of which Postgres' user may make clusters. The caller removes it. */
  static async directory(): Promise<string> {
    const root = await mkdtemp(join(tmpdir(), "spacefeed-cluster-"));
    await chmod(root, 0o755);
    const { uid, gid } = unprivileged();
    if (uid !== undefined && gid !== undefined) await chown(root, uid, gid);
    return root;
  }

  /** A new cluster, not started yet. */
  static async create(root: string, name: string): Promise<Cluster> {
    const cluster = new Cluster(root, name, await freePort());
    await cluster.tool(
      "initdb",
      "-D",
      cluster.data,
      "-U",
      "postgres",
      "-A",
      "trust",
      "-E",
      "UTF8",
      "--locale=C",
      "-N",
    );
    return cluster;
  }

  get data(): string {
    return join(this.root, this.name);
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  /** A copy of this running cluster, on a port of its own unless one is given. More arguments: of pg_basebackup. */
  async backup(name: string, port?: number, ...more: string[]): Promise<Cluster> {
    const copy = new Cluster(this.root, name, port ?? (await freePort()));
    await this.tool("pg_basebackup", "-d", this.url, "-D", copy.data, "-c", "fast", "-N", ...more);
    return copy;
  }

  /** Settings for its next start. */
  async configure(...settings: string[]): Promise<void> {
    await appendFile(join(this.data, "postgresql.auto.conf"), `${settings.join("\n")}\n`);
  }

  /** Its next start recovers as it is configured, and comes out on a timeline of its own. */
  async recover(): Promise<void> {
    await writeFile(join(this.data, "recovery.signal"), "");
  }

  /** Starts it, and waits until it takes connections. */
  async start(): Promise<void> {
    const settings = [`port=${this.port}`, ...SETTINGS.split(" ")].map((setting) => `-c ${setting}`);
    await this.tool(
      "pg_ctl",
      "-D",
      this.data,
      "-l",
      `${this.data}.log`,
      "-o",
      settings.join(" "),
      "-w",
      "start",
    );
    // A server that recovers, and is no hot standby, has started and takes none.
    for (const until = Date.now() + 20_000; ; await sleep(50)) {
      try {
        await this.session();
        return;
      } catch (error) {
        if (Date.now() > until) throw error;
      }
    }
  }

  /** Also of one that does not run. */
  async stop(mode: "fast" | "immediate" = "fast"): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.end().catch(() => {})));
    await this.tool("pg_ctl", "-D", this.data, "-m", mode, "-w", "stop").catch(() => {});
  }

  async promote(): Promise<void> {
    await this.tool("pg_ctl", "-D", this.data, "-w", "promote");
  }

  /** A session that ends with the cluster. */
  async session(): Promise<Session> {
    const connect = async () => {
      const client = new pg.Client({ connectionString: this.url });
      client.on("error", () => {}); // the server goes away under it
      this.#clients.push(client);
      await client.connect();
      return client;
    };
    return Session.open({ url: this.url, connect });
  }

  /** Runs one of Postgres' programs as its user. */
  async tool(name: string, ...args: string[]): Promise<void> {
    const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith("PG")));
    await run(join(POSTGRES_BIN as string, name), args, {
      cwd: this.root,
      env,
      timeout: 60_000,
      ...unprivileged(),
    });
  }
}

/** Clusters in a directory, all of which are stopped and removed after the test. */
export async function clusters({
  onTestFinished,
}: {
  onTestFinished(work: () => Promise<void>): unknown;
}): Promise<{ create(name: string): Promise<Cluster>; keep(cluster: Cluster): Cluster }> {
  const root = await Cluster.directory();
  const all: Cluster[] = [];
  onTestFinished(async () => {
    await Promise.all(all.map((cluster) => cluster.stop("immediate")));
    await rm(root, { recursive: true, force: true });
  });
  const keep = (cluster: Cluster) => {
    all.push(cluster);
    return cluster;
  };
  await mkdir(join(root, "archive"), { mode: 0o777 });
  await chmod(join(root, "archive"), 0o777);
  return { create: async (name) => keep(await Cluster.create(root, name)), keep };
}
