import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";
import type { Logger } from "pino";
import { SpacefeedError, STATUS } from "../../protocol/errors.js";
import { LIMITS } from "../../protocol/messages.js";
import { type Env, identify } from "../auth/caller.js";
import { Origins } from "../auth/origin.js";
import type { TokenConfig } from "../auth/token.js";
import type { Hub } from "../feed/hub.js";
import type { Metrics } from "../metrics.js";
import type { Database } from "../postgres/functions.js";
import type { Listener } from "../postgres/listener.js";
import type { Reach } from "../postgres/reach.js";
import type { StateFeeds } from "../stream/state-feed.js";
import { entityRoutes } from "./entities.js";
import { healthRoutes, type Look } from "./health.js";
import { addressOf } from "./limits/address.js";
import { type Limits, Throttle } from "./limits/throttle.js";
import { openapi } from "./openapi.js";
import { type PageFacts, pageRoutes } from "./page.js";
import { streamRoutes } from "./stream.js";

export interface AppParts {
  /** Origins of other sites whose pages may call the API; `*` for all. */
  corsOrigins: string[];
  /** Open streams, above which a newcomer is refused with 503. */
  maxClients: number;
  /** How callers prove who they are; null: everybody is nobody in particular. */
  tokens: TokenConfig | null;
  /** Milliseconds after which a reader who has a token is asked about again. */
  recheckMs: number;
  /** Proxies before the relay whose X-Forwarded-For is believed. */
  trustProxy: number;
  limits: Limits;
  database: Database;
  hub: Hub;
  feeds: StateFeeds;
  listener: Listener;
  metrics: Metrics;
  watches: readonly Look[];
  reach: Reach;
  log: Logger;
  /** For the demo page at `/`. Without it there is none. */
  page?: PageFacts | undefined;
}

/** Seconds after which a client may ask again. Spread, so that who was refused together does not come together. */
const soon = () => 1 + Math.floor(Math.random() * 3);

export type App = Hono<Env>;

const secure = secureHeaders({
  // Of an answer that a browser is made to show: nothing in it does anything. The page has a policy of its own.
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  xFrameOptions: "DENY",
  // Where there is TLS is for whoever ends it to say, also for other hosts of the domain.
  strictTransportSecurity: false,
});

/** All routes, and the one place where an error becomes an answer. */
export function createApp(parts: AppParts): App {
  const { database, listener, metrics, watches, log, page, corsOrigins, tokens } = parts;
  const app = new Hono<Env>();
  const origins = new Origins(corsOrigins);
  const throttle = new Throttle(parts.limits);
  const address = (context: Context<Env>) => addressOf(context, parts.trustProxy);

  app.use(async (context, next) => {
    // Before the route: a stream's head is on its way when the route is done.
    await secure(context, async () => {});
    await next();
  });
  if (corsOrigins.length > 0) {
    app.use(
      "/api/*",
      cors({
        origin: corsOrigins.includes("*") ? "*" : corsOrigins,
        credentials: tokens?.cookie !== undefined,
        exposeHeaders: ["ETag", "Retry-After", "WWW-Authenticate"],
      }),
    );
  }
  app.use("/api/*", async (context, next) => {
    origins.demandForWrite(context);
    await next();
  });
  app.use("/api/*", identify(tokens, origins));
  const limited = bodyLimit({
    maxSize: LIMITS.bodyBytes,
    onError: () => {
      throw new SpacefeedError("too_large", `the body has more than ${LIMITS.bodyBytes} bytes`);
    },
  });
  app.use("/api/*", (context, next) => {
    // Not of GET: it would make a whole Request, of which a stream needs nothing.
    if (context.req.method !== "GET") return limited(context, next);
    if (hasBody(context)) {
      throw new SpacefeedError("invalid", "a GET has no body here: leave its Content-Length away");
    }
    return next();
  });

  app.route("/", entityRoutes(database, parts.reach, throttle, address));
  app.route("/", streamRoutes({ ...parts, throttle, address }));
  app.route("/", healthRoutes(database, listener, metrics, watches));
  const description = openapi(tokens?.cookie);
  app.get("/openapi.json", (context) => context.json(description));
  if (page) app.route("/", pageRoutes(page));

  const refuse = (context: Context, error: SpacefeedError) => {
    metrics.refusals.inc({ reason: error.limit ?? error.code });
    return refusal(context, error);
  };
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

function refusal(context: Context, error: SpacefeedError): Response {
  const { code, retryAfter = soon() } = error;
  if (code === "unavailable" || code === "rate_limited") context.header("Retry-After", String(retryAfter));
  if (code === "unauthorized") context.header("WWW-Authenticate", 'Bearer realm="spacefeed"');
  // The rest of the body is still on its way: the next request cannot be told from it.
  if (code === "too_large") context.header("Connection", "close");
  return context.json({ success: false, error: error.message, code }, STATUS[code]);
}

/** One that never comes would be missed while a stream is open: Node would answer 408, in the midst of it. */
function hasBody(context: Context): boolean {
  const length = context.req.header("Content-Length");
  return (length !== undefined && length !== "0") || context.req.header("Transfer-Encoding") !== undefined;
}
