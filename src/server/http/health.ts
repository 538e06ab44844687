import { Hono } from "hono";
import { SpacefeedError } from "../../protocol/errors.js";
import type { Metrics } from "../metrics.js";
import type { Database } from "../postgres/functions.js";
import type { Listener } from "../postgres/listener.js";

/** Milliseconds for which an answer of `/readyz` holds. */
const READY_MS = 1_000;

/** Looks for what will need somebody, and never rejects. */
export interface Look {
  look(): Promise<string[]>;
}

/**
 * `GET /healthz` (the process lives), `/readyz` (the database and LISTEN answer) and `/metrics`. What will need
 * somebody, while the relay still serves, is a warning of `/readyz`: that is still 200, or the one relay that could
 * carry on would be taken out of service. A look is for all who ask before it ends, or within a second of it.
 */
export function healthRoutes(
  database: Database,
  listener: Listener,
  metrics: Metrics,
  watches: readonly Look[],
): Hono {
  const app = new Hono();
  let latest: ReturnType<typeof lookNow> | undefined;

  function look() {
    latest ??= lookNow().finally(() => setTimeout(() => (latest = undefined), READY_MS).unref());
    return latest;
  }

  async function lookNow() {
    const [epoch, heard, ...warnings] = await Promise.all([
      database.epoch(),
      listener.listening && listener.roundTrip(),
      ...watches.map((watch) => watch.look()),
    ]);
    return { epoch, heard, warnings: warnings.flat() };
  }

  app.get("/healthz", (context) => context.json({ status: "ok" }));

  app.get("/readyz", async (context) => {
    const { epoch, heard, warnings } = await look();
    if (!heard) {
      const fault = "notifications do not arrive: the relay reconnects by itself";
      throw new SpacefeedError("unavailable", [fault, ...warnings].join("; "));
    }
    return context.json({ status: "ready", epoch, warnings });
  });

  app.get("/metrics", async (context) => {
    metrics.listening.set(listener.listening ? 1 : 0);
    context.header("Content-Type", metrics.registry.contentType);
    return context.body(await metrics.registry.metrics());
  });

  return app;
}
