import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";
import { type EmbeddedPostgres, startEmbedded } from "../embedded/embedded.js";
import { SpacefeedError } from "../protocol/errors.js";
import type { Config } from "./config.js";
import { Hub } from "./feed/hub.js";
import { StateFeeds } from "./feed/state-feed.js";
import { createApp } from "./http/app.js";
import { createHttpServer } from "./http/listen.js";
import { Metrics } from "./metrics.js";
import { Database } from "./postgres/functions.js";
import { Listener } from "./postgres/listener.js";
import { migrateOrLeave } from "./postgres/migrate.js";
import { POOLER_SETTINGS, RECORDER_SETTINGS } from "./postgres/pool.js";
import { Reach } from "./postgres/reach.js";
import { Recorder } from "./postgres/recorder.js";
import { asLibpq } from "./postgres/tls.js";
import { queueWatch } from "./postgres/watch/queue.js";
import { warningWatch } from "./postgres/watch/warnings.js";

/** Looks at every space that has readers, should a notification ever be lost without a trace. */
const BACKSTOP_MS = 5_000;
const QUEUE_WATCH_MS = 10_000;
const WARNING_WATCH_MS = 60_000;
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
  const open: (() => Promise<unknown>)[] = [];
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      for (const end of open.reverse())
        await end().catch((error) => log.warn({ err: error }, "while stopping"));
    })();
    return closing;
  };

  try {
    let embedded: EmbeddedPostgres | undefined;
    if (config.databaseUrl === undefined) {
      embedded = await startEmbedded({ dataDir: config.dataDir, log: (message) => log.info(message) });
      open.push(() => (embedded as EmbeddedPostgres).stop());
    }
    const databaseUrl = config.databaseUrl ?? (embedded as EmbeddedPostgres).url;
    const poolUrl = await asLibpq(databaseUrl);
    const sessionUrl = config.listenDatabaseUrl ? await asLibpq(config.listenDatabaseUrl) : poolUrl;
    const metrics = new Metrics();
    open.push(async () => metrics.registry.clear());
    const isPooled = config.listenDatabaseUrl !== undefined;
    const database = new Database(poolUrl, log, metrics, isPooled ? POOLER_SETTINGS : {});
    open.push(() => database.close());

    const { catchUpLimit, heartbeatMs } = config;
    const hub = new Hub({ database, metrics, log, catchUpLimit, heartbeatMs });
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
      onListening: () => {
        hub.wakeAll();
        recorder.left();
      },
    });
    const recorder = new Recorder({
      database: new Database(sessionUrl, log, metrics, RECORDER_SETTINGS),
      metrics,
      log,
      onOverlooked: () => hub.wakeAll(),
    });
    await listener.start();
    open.push(() => listener.close());
    // Now that the address has proved to lead to a session: a lock of the migrations, taken through a pooler, would
    // stay behind in it.
    const migrations = await migrateOrLeave(sessionUrl, (message) => log.warn(message));
    if (migrations === null) log.info("the schema is another role's, or read-only: left as it is");
    else if (migrations.length > 0) log.info({ migrations }, "migrated the database");
    if (isPooled && (await database.isUnlimited())) {
      log.warn(
        "behind the pooler the relay's queries have no limit: alter role … set statement_timeout = '10s' for the role " +
          "of DATABASE_URL",
      );
    }
    open.push(() => recorder.close());
    await recorder.start();

    const queue = queueWatch(database, metrics, log);
    const troubles = warningWatch(database, log);
    await Promise.all([queue.look(), troubles.look()]);
    const timers = [
      setInterval(() => hub.heartbeat(), heartbeatMs),
      setInterval(() => {
        hub.wakeAll();
        recorder.left();
      }, BACKSTOP_MS),
      setInterval(() => queue.look(), QUEUE_WATCH_MS),
      setInterval(() => troubles.look(), WARNING_WATCH_MS),
    ];
    open.push(async () => {
      for (const timer of timers) clearInterval(timer);
    });

    const feeds = new StateFeeds(hub, database, log);
    // The connection string of a database that is not ours is a secret, and its users need not be the page's.
    const page = config.demo ? { psql: embedded ? `psql ${embedded.url}` : null } : undefined;
    const watches = [queue, troubles, database.outages, recorder.quarantine];
    const reach = new Reach(database);
    const app = createApp({ ...config, database, reach, hub, feeds, listener, metrics, watches, log, page });
    const server = createHttpServer(app, config.http, metrics);
    server.listen({ port: config.port, host: config.host, backlog: BACKLOG });
    await once(server, "listening").catch((error) => {
      throw new SpacefeedError(
        "config",
        `cannot listen on ${config.host}:${config.port}: ${error.message}; set HOST or PORT`,
      );
    });
    open.push(async () => {
      const closed = once(server, "close");
      server.close();
      hub.close();
      server.closeIdleConnections();
      const impatient = setTimeout(() => server.closeAllConnections(), 1_000);
      await closed;
      clearTimeout(impatient);
    });

    const { port } = server.address() as AddressInfo;
    const host = config.host.includes(":") ? `[${config.host}]` : config.host;
    const lost = embedded?.exited ?? new Promise<string>(() => {});
    return { url: `http://${host}:${port}`, databaseUrl, metrics, lost, close };
  } catch (error) {
    await close();
    throw error;
  }
}
