import { Hono } from "hono";
import { SpacefeedError } from "../protocol/errors.js";
import type { Database } from "./database.js";
import type { Listener } from "./listener.js";
import type { Metrics } from "./metrics.js";
import type { QueueWatch } from "./queue-watch.js";

/**
 * `GET /healthz` (the process lives), `/readyz` (the database and LISTEN answer) and `/metrics`. What will need
 * somebody, while the relay still serves, is a warning of `/readyz`: that is still 200, or the one relay that could
 * carry on would be taken out of service.
 */
export function healthRoutes(
  database: Database,
  listener: Listener,
  metrics: Metrics,
  queueWatch: QueueWatch,
): Hono {
  const app = new Hono();

  app.get("/healthz", (context) => context.json({ status: "ok" }));

  app.get("/readyz", async (context) => {
    const [epoch, heard, warnings] = await Promise.all([
      database.epoch(),
      listener.listening && listener.roundTrip(),
      queueWatch.look(),
    ]);
    if (!heard) {
      const fault = "notifications do not arrive; the relay reconnects by itself";
      throw new SpacefeedError("unavailable", [fault, ...warnings].join("; "));
    }
    return context.json({ status: "ready", epoch, warnings });
  });

  app.get("/metrics", async (context) => {
    metrics.listening.set(listener.listening ? 1 : 0);
    return context.body(await metrics.registry.metrics(), 200, {
      "Content-Type": metrics.registry.contentType,
    });
  });

  return app;
}
