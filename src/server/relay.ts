import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";
import { startEmbedded } from "../embedded/embedded.js";
import { SpacefeedError } from "../protocol/errors.js";
import type { Config } from "./config.js";
import { Barrier } from "./feed/barrier.js";
import { Hub } from "./feed/hub.js";
import { StateFeeds } from "./feed/state-feed.js";
import { createApp } from "./http/app.js";
import { createHttpServer } from "./http/listen.js";
import { Metrics } from "./metrics.js";
import { Database } from "./postgres/functions.js";
import { Listener } from "./postgres/listener.js";
import { migrateOrLeave } from "./postgres/migrate.js";
import { POOLER_SETTINGS, RECORDER_SETTINGS } from "./postgres/pool.js";
import { prune } from "./postgres/prune.js";
import { Recorder } from "./postgres/recorder.js";
import { asLibpq } from "./postgres/tls.js";
import { queueWatch } from "./postgres/watch/queue.js";
import { warningWatch } from "./postgres/watch/warnings.js";
import { Streams, TURNS } from "./stream/streams.js";

/** Looks at every space that has readers, should a notification ever be lost without a trace. */
const BACKSTOP_MS = 5_000;
const QUEUE_WATCH_MS = 10_000;
const HOUSEKEEPING_MS = 60_000;
/** Connections that wait to be accepted, when everybody comes back at once. The system may allow fewer. */
const BACKLOG = 4_096;

/** A relay that runs. */
export interface Relay {
  /** Where it answers, such as http://127.0.0.1:8787. */
  url: string;
  /** Connection string of its database. */
  databaseUrl: string;
  metrics: Metrics;
  /** Resolves, with the reason, when the embedded Postgres ends by itself. */
  lost: Promise<string>;
  /** Ends the streams, the pool and the embedded Postgres, in this order. Idempotent. */
  close(): Promise<void>;
}

/** Starts the database if it is the embedded one, migrates it, and serves. */
export async function startRelay(config: Config, log: Logger): Promise<Relay> {
  /** What ends each part that has started, in the order of their starts. */
  const ends: (() => unknown)[] = [];
  const closeAll = async () => {
    for (const end of ends.reverse()) {
      try {
        await end();
      } catch (error) {
        log.warn({ err: error }, "while stopping");
      }
    }
  };
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= closeAll();
    return closing;
  };
  const every = (ms: number, work: () => unknown) => {
    const timer = setInterval(work, ms);
    ends.push(() => clearInterval(timer));
  };

  try {
    const { dataDir, catchUpLimit, heartbeatMs, host, port, pruneDays } = config;
    const embedded =
      config.databaseUrl === undefined
        ? await startEmbedded({ dataDir, log: (message) => log.info(message) })
        : undefined;
    if (embedded) ends.push(embedded.stop);
    const databaseUrl = config.databaseUrl ?? (embedded?.url as string);
    const poolUrl = await asLibpq(databaseUrl);
    const isPooled = config.listenDatabaseUrl !== undefined;
    const sessionUrl = config.listenDatabaseUrl ? await asLibpq(config.listenDatabaseUrl) : poolUrl;
    const metrics = new Metrics();
    ends.push(() => metrics.registry.clear());
    const database = new Database(poolUrl, log, metrics, isPooled ? POOLER_SETTINGS : {});
    ends.push(() => database.close());

    const hub = new Hub({ database, metrics, log, catchUpLimit, heartbeatMs });
    const barrier = new Barrier(database, hub);
    const listener = new Listener({
      url: sessionUrl,
      log,
      onWake: (spaceId) => {
        metrics.wakeUps.inc();
        hub.wake(spaceId);
        recorder.heard();
      },
      onLeft: () => {
        recorder.heard();
        recorder.left();
      },
      onAsked: (spaceId) => barrier.answer(spaceId),
      onListening: () => {
        void barrier.register();
        wakeAll();
      },
    });
    const recorder = new Recorder({
      database: new Database(sessionUrl, log, metrics, RECORDER_SETTINGS),
      metrics,
      log,
      onOverlooked: () => hub.wakeAll(),
    });
    function wakeAll() {
      hub.wakeAll();
      recorder.left();
    }
    await listener.start();
    ends.push(() => listener.close());
    // Now that the address has proved to lead to a session: a lock of the migrations, taken through a pooler, would
    // stay behind in it.
    const migrations = await migrateOrLeave(sessionUrl, (message) => log.warn(message));
    if (migrations === null) log.info("the schema is another role's, or read-only: left as it is");
    else if (migrations.length > 0) log.info({ migrations }, "migrated the database");
    if (isPooled && (await database.isUnlimited())) {
      log.warn(
        "behind the pooler the relay's queries have no time limit: alter role … set statement_timeout = '10s' for the " +
          "role of DATABASE_URL",
      );
    }
    ends.push(() => recorder.close());
    await recorder.start();
    await barrier.open();
    ends.push(() => barrier.close());

    const queue = queueWatch(database, metrics, log);
    const troubles = warningWatch(database, log);
    const dropOld = () => prune(database, pruneDays, log);
    await Promise.all([queue.look(), troubles.look()]);
    void dropOld();
    const parts = { ...config, database, hub, metrics, log };
    const streams = new Streams(parts);
    every(heartbeatMs, () => {
      hub.heartbeat();
      streams.heartbeat();
    });
    every(config.recheckMs / TURNS, () => streams.recheck());
    every(BACKSTOP_MS, wakeAll);
    every(QUEUE_WATCH_MS, () => queue.look());
    every(HOUSEKEEPING_MS, () => Promise.all([troubles.look(), dropOld()]));

    const feeds = new StateFeeds(hub, database, log);
    // The connection string of a database that is not ours is a secret, and its users need not be the page's.
    const page = config.demo ? { psql: embedded ? `psql ${embedded.url}` : null } : undefined;
    const watches = [queue, troubles, database.outages, recorder.quarantine];
    const app = createApp({ ...parts, feeds, streams, listener, watches, page });
    const server = createHttpServer(app, config.http, metrics);
    server.listen({ port, host, backlog: BACKLOG });
    await once(server, "listening").catch(({ message }) => {
      throw new SpacefeedError("config", `cannot listen on ${host}:${port}: ${message}; set HOST or PORT`);
    });
    ends.push(async () => {
      const closed = once(server, "close");
      server.close();
      hub.close();
      server.closeIdleConnections();
      const impatient = setTimeout(() => server.closeAllConnections(), 1_000);
      await closed;
      clearTimeout(impatient);
    });

    const { port: bound } = server.address() as AddressInfo;
    const url = `http://${host.includes(":") ? `[${host}]` : host}:${bound}`;
    return { url, databaseUrl, metrics, lost: embedded?.exited ?? new Promise(() => {}), close };
  } catch (error) {
    await close();
    throw error;
  }
}
