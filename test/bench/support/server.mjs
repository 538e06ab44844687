import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startEmbedded } from "../../../dist/embedded/embedded.js";
import { migrate } from "../../../dist/server/index.js";
import { parentOf } from "./process.mjs";

/**
 * A Postgres to measure: TEST_DATABASE_URL, else an embedded one that is thrown away. With `preload`, a library that
 * is loaded into it, always an embedded one.
 */
export async function startServer({ preload } = {}) {
  const given = preload ? undefined : process.env.TEST_DATABASE_URL;
  const source = given
    ? { what: "TEST_DATABASE_URL", url: given, stop: async () => {} }
    : await embedded(preload);
  const admin = new pg.Client({ connectionString: source.url });
  await admin.connect();
  const open = new Set();
  let created = 0;
  let stopped;

  const createDatabase = async () => {
    const name = `spacefeed_bench_${process.pid}_${++created}`;
    await admin.query(`create database ${name}`);
    const database = openDatabase(admin, source.url, name, () => open.delete(database));
    open.add(database);
    await migrate(database.url, "up");
    return database;
  };

  const stopAll = async () => {
    for (const database of open) await database.drop();
    await admin.end();
    await source.stop();
  };

  return {
    what: source.what,
    setting: async (name) => (await admin.query("select current_setting($1) as v", [name])).rows[0].v,
    createDatabase,
    /** The pid of its first process; undefined where that is on another machine. */
    postmaster: async () => {
      const { rows } = await admin.query("select pg_backend_pid() as pid");
      return parentOf(rows[0].pid, "postgres");
    },
    stop: () => {
      stopped ??= stopAll();
      return stopped;
    },
  };
}

async function embedded(preload) {
  const dataDir = await mkdtemp(join(tmpdir(), "spacefeed-bench-"));
  // Started by root, Postgres runs as another user, who must get in; else its data would stay elsewhere.
  await chmod(dataDir, 0o711);
  const { LD_PRELOAD: before } = process.env;
  if (preload) process.env.LD_PRELOAD = preload;
  const starting = startEmbedded({ dataDir, port: preload ? 54_601 : 54_600, log: () => {} });
  const server = await starting.finally(() => {
    if (before === undefined) delete process.env.LD_PRELOAD;
    else process.env.LD_PRELOAD = before;
  });
  return {
    what: "embedded, default settings",
    url: server.url,
    stop: async () => {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function openDatabase(admin, serverUrl, name, onDrop) {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const clients = new Set();
  let dropped;

  const connect = async () => {
    const client = new pg.Client({ connectionString: url.href, application_name: "spacefeed-bench" });
    client.on("error", () => {}); // dropping the database ends the sessions of an interrupted run
    clients.add(client);
    await client.connect();
    return client;
  };

  const dropNow = async () => {
    onDrop();
    await Promise.all([...clients].map((client) => client.end().catch(() => {})));
    await admin.query(`drop database ${name} with (force)`);
  };

  return {
    url: url.href,
    connect,
    connectMany: (count) => Promise.all(Array.from({ length: count }, connect)),
    drop: () => {
      dropped ??= dropNow();
      return dropped;
    },
  };
}
