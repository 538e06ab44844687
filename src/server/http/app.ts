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
import type { Metrics } from "../metrics.js";
import type { Listener } from "../postgres/listener.js";
import { tracedRequest } from "../tracing.js";
import { entityRoutes } from "./entities.js";
import { healthRoutes, type Look } from "./health.js";
import { addressOf } from "./limits/address.js";
import { type Limits, Throttle } from "./limits/throttle.js";
import { openapi } from "./openapi.js";
import { type PageFacts, pageRoutes } from "./page.js";
import { type StreamParts, streamRoutes } from "./stream.js";

export interface AppParts extends Omit<StreamParts, "throttle" | "address"> {
  /** Origins of other sites whose pages may call the API; `*` for all. */
  corsOrigins: string[];
  /** How callers prove who they are; null: every caller is anonymous. */
  tokens: TokenConfig | null;
  /** Proxies before the relay whose X-Forwarded-For is believed. */
  trustProxy: number;
  limits: Limits;
  listener: Listener;
  metrics: Metrics;
  watches: readonly Look[];
  log: Logger;
  /** For the demo page at `/`. Without it there is none. */
  page?: PageFacts | undefined;
}

/** Seconds after which a client may ask again. Spread, so that those refused together do not come back together. */
const soon = () => 1 + Math.floor(Math.random() * 3);

export type App = Hono<Env>;

const secure = secureHeaders({
  // Of an answer that a browser is made to show: nothing in it does anything. The page has a policy of its own.
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  xFrameOptions: "DENY",
  // Whether there is TLS is known to the proxy that ends it, not here.
  strictTransportSecurity: false,
});

/** All routes, and the one place where an error becomes an answer. */
export function createApp(parts: AppParts): App {
  const { database, listener, metrics, watches, log, page, corsOrigins, tokens } = parts;
  const app = new Hono<Env>();
  const origins = new Origins(corsOrigins);
  const throttle = new Throttle(parts.limits);
  const address = (context: Context<Env>) => addressOf(context, parts.trustProxy);

  app.use((context, next) =>
    tracedRequest(context.req, pathOf(context), async () => {
      await next();
      return context.res.status;
    }),
  );
  // Before the route: a stream's head is on its way when the route is done.
  app.use((context, next) => secure(context, async () => {}).then(next));
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
      throw new SpacefeedError(
        "invalid",
        "a GET takes no body here: send it without Content-Length and Transfer-Encoding",
      );
    }
    return next();
  });

  app.route("/", entityRoutes(database, throttle, address));
  app.route("/", streamRoutes({ ...parts, throttle, address }));
  app.route("/", healthRoutes(database, listener, metrics, watches));
  const description = openapi(tokens?.cookie);
  app.get("/openapi.json", (context) => context.json(description));
  if (page) app.route("/", pageRoutes(page));

  const refuse = (thrown: Error, context: Context) => {
    const error = toRefusal(thrown);
    const { code, limit, message, retryAfter = soon() } = error;
    metrics.refusals.inc({ reason: limit ?? code });
    if (code === "internal") log.error({ err: error, path: pathOf(context) }, "a request failed");
    if (code === "unavailable" || code === "rate_limited") context.header("Retry-After", String(retryAfter));
    if (code === "unauthorized") context.header("WWW-Authenticate", 'Bearer realm="spacefeed"');
    // The rest of the body is still on its way: the next request cannot be told from it.
    if (code === "too_large") context.header("Connection", "close");
    return context.json({ success: false, error: message, code }, STATUS[code]);
  };
  app.onError(refuse);
  app.notFound((context) => {
    const { method, path } = context.req;
    return refuse(
      new SpacefeedError("not_found", `there is no ${method} ${path}: see /openapi.json`),
      context,
    );
  });
  return app;
}

/** For traces and the log, where the ID of a stream, a secret of its client, does not belong. */
const pathOf = ({ req }: Context) => req.path.replace(/^(\/api\/stream\/).+/, "$1:id");

function toRefusal(thrown: Error & { code?: string }): SpacefeedError {
  if (thrown instanceof SpacefeedError) return thrown;
  // The database's own resets are SpacefeedErrors by now.
  return thrown.code === "ECONNRESET"
    ? new SpacefeedError("invalid", "the request broke off before its end", { cause: thrown })
    : new SpacefeedError("internal", "something went wrong here; the log has the reason", { cause: thrown });
}

/** One that never comes would be missed while a stream is open: Node would answer 408, in the midst of it. */
function hasBody(context: Context): boolean {
  const length = context.req.header("Content-Length") ?? "0";
  return length !== "0" || context.req.header("Transfer-Encoding") !== undefined;
}
