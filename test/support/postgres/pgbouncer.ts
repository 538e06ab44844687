import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import pg from "pg";
import { freePort } from "../process/free-port.js";
import { unprivileged } from "./unprivileged.js";

/** Where PgBouncer is; undefined where it is not installed. */
export const PGBOUNCER = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"]
  .map((directory) => join(directory, "pgbouncer"))
  .find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** A PgBouncer in transaction mode, with its own defaults, before the server of a connection string. */
export class PgBouncer {
  private constructor(
    readonly url: string,
    readonly directory: string,
    readonly child: ChildProcess,
    readonly written: { text: string },
  ) {}

  /** `sessions`: how many of the server's there are for everybody. */
  static async before(connectionString: string, sessions: number): Promise<PgBouncer> {
    const target = new URL(connectionString);
    const url = new URL(connectionString);
    [url.hostname, url.port, url.password] = ["127.0.0.1", String(await freePort()), ""];
    const directory = await mkdtemp(join(tmpdir(), "spacefeed-pgbouncer-"));
    await chmod(directory, 0o755);
    const file = join(directory, "pgbouncer.ini");
    const password = target.password ? ` password=${decodeURIComponent(target.password)}` : "";
    const settings = [
      "[databases]",
      `* = host=${target.hostname} port=${target.port || 5432} user=${target.username}${password}`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${url.port}`,
      "unix_socket_dir =",
      "auth_type = any",
      "pool_mode = transaction",
      `default_pool_size = ${sessions}`,
    ];
    await writeFile(file, `${settings.join("\n")}\n`, { mode: 0o644 });
    const stdio: ["ignore", "ignore", "pipe"] = ["ignore", "ignore", "pipe"];
    const child = spawn(PGBOUNCER as string, [file], { cwd: "/", stdio, ...unprivileged() });
    const written = { text: "" };
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      written.text += text;
    });
    const bouncer = new PgBouncer(url.href, directory, child, written);
    try {
      await bouncer.#answers();
      return bouncer;
    } catch (error) {
      await bouncer.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill("SIGKILL");
      await once(this.child, "exit");
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  async #answers(): Promise<void> {
    for (const until = Date.now() + 10_000; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const client = new pg.Client({ connectionString: this.url });
      client.on("error", () => {});
      try {
        await client.connect();
        await client.query("select 1");
        return;
      } catch (error) {
        const isOver = this.child.exitCode !== null || Date.now() > until;
        if (isOver) throw new Error(`PgBouncer does not answer (${error}): ${this.written.text}`);
      } finally {
        await client.end().catch(() => {});
      }
    }
  }
}
