import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import type { Logger } from "pino";
import { SpacefeedError, STATUS } from "../protocol/errors.js";
import { LIMITS } from "../protocol/messages.js";
import type { Database } from "./database.js";
import { entityRoutes } from "./entities.js";
import { healthRoutes } from "./health.js";
import type { Hub } from "./hub.js";
import type { Listener } from "./listener.js";
import type { Metrics } from "./metrics.js";
import { openapi } from "./openapi.js";
import { type PageFacts, pageRoutes } from "./page.js";
import type { QueueWatch } from "./queue-watch.js";
import type { StateFeeds } from "./state-feed.js";
import { streamRoutes } from "./streams.js";

export interface AppParts {
  database: Database;
  hub: Hub;
  feeds: StateFeeds;
  listener: Listener;
  metrics: Metrics;
  queueWatch: QueueWatch;
  corsOrigins: string[];
  maxClients: number;
  log: Logger;
  /** For the demo page at `/`. Without it there is none. */
  page?: PageFacts | undefined;
}

/** Seconds after which a client may ask again. Spread, so that who was refused together does not come together. */
const retryAfter = () => String(1 + Math.floor(Math.random() * 3));

/** All routes, and the one place where an error becomes an answer. */
export function createApp(parts: AppParts) {
  const { database, listener, metrics, queueWatch, corsOrigins, log, page } = parts;
  const app = new Hono<{ Bindings: HttpBindings }>();
  const isAllowed = (origin: string) => corsOrigins.includes("*") || corsOrigins.includes(origin);

  if (corsOrigins.length > 0) {
    app.use(
      "/api/*",
      cors({ origin: corsOrigins.includes("*") ? "*" : corsOrigins, exposeHeaders: ["ETag", "Retry-After"] }),
    );
  }
  app.use("/api/*", async (context, next) => {
    // A page of another site may not write with the reader's network as its only right.
    const origin = context.req.header("Origin");
    if (context.req.method === "POST" && origin && !isSame(origin, context) && !isAllowed(origin)) {
      throw new SpacefeedError("forbidden", `pages of ${origin} may not write here: name it in CORS_ORIGINS`);
    }
    await next();
  });
  const limited = bodyLimit({
    maxSize: LIMITS.bodyBytes,
    onError: () => {
      throw new SpacefeedError("too_large", `the body has more than ${LIMITS.bodyBytes} bytes`);
    },
  });
  // Not of GET: it would make a whole Request, of which a stream needs nothing.
  app.use("/api/*", (context, next) => (context.req.method === "GET" ? next() : limited(context, next)));

  app.route("/", entityRoutes(database));
  app.route("/", streamRoutes(parts));
  app.route("/", healthRoutes(database, listener, metrics, queueWatch));
  app.get("/openapi.json", (context) => context.json(openapi()));
  if (page) app.route("/", pageRoutes(page));

  app.notFound((context) => {
    const { method, path } = context.req;
    const error = new SpacefeedError("not_found", `there is no ${method} ${path}: see /openapi.json`);
    return refuse(context, error);
  });
  app.onError((thrown, context) => {
    const error = toRefusal(thrown);
    if (error.code === "internal") log.error({ err: error, path: context.req.path }, "a request failed");
    return refuse(context, error);
  });
  return app;
}

function toRefusal(thrown: Error & { code?: string }): SpacefeedError {
  if (thrown instanceof SpacefeedError) return thrown;
  // The database's own resets are SpacefeedErrors by now.
  const isHalf = thrown.code === "ECONNRESET";
  return isHalf
    ? new SpacefeedError("invalid", "the request broke off before its end", { cause: thrown })
    : new SpacefeedError("internal", "something went wrong here; the log has the reason", { cause: thrown });
}

function refuse(context: Context, error: SpacefeedError): Response {
  if (error.code === "unavailable") context.header("Retry-After", retryAfter());
  // The rest of the body is still on its way: the next request cannot be told from it.
  if (error.code === "too_large") context.header("Connection", "close");
  return context.json({ success: false, error: error.message, code: error.code }, STATUS[error.code]);
}

function isSame(origin: string, context: Context): boolean {
  return URL.canParse(origin) && new URL(origin).host === context.req.header("Host");
}
