import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono } from "hono";
import { SpacefeedError } from "../../protocol/errors.js";
import { LIMITS, streamQuery, syncQuery } from "../../protocol/messages.js";
import type { Env } from "../auth/caller.js";
import { cursorText } from "../feed/cursor.js";
import type { Hub } from "../feed/hub.js";
import type { StateFeeds } from "../feed/state-feed.js";
import type { Metrics } from "../metrics.js";
import { unknownSpace } from "../postgres/errors.js";
import type { Database, Opening } from "../postgres/functions.js";
import { Admission } from "../stream/admission.js";
import { Connection, STREAM_HEADERS } from "../stream/connection.js";
import { Reader } from "../stream/reader.js";
import { Rechecks } from "../stream/recheck.js";
import type { Throttle } from "./limits/throttle.js";
import { readQuery } from "./request.js";

type Asked = Context<Env>;

export interface StreamParts {
  database: Database;
  hub: Hub;
  feeds: StateFeeds;
  metrics: Metrics;
  /** Open streams, above which a newcomer is refused. */
  maxClients: number;
  throttle: Throttle;
  /** Whose request it is, null where that has no limit. */
  address(context: Asked): string | null;
  /** Milliseconds after which it is asked again whether a stream may go on. */
  recheckMs: number;
}

/** `GET /api/stream` (events) and `GET /api/sync` (complete state). */
export function streamRoutes(parts: StreamParts): Hono<Env> {
  const { database, hub, feeds, metrics, maxClients, throttle, address, recheckMs } = parts;
  const app = new Hono<Env>();
  const admission = new Admission(database);
  const rechecks = new Rechecks(database, metrics, recheckMs);
  let clients = 0;

  app.get("/api/stream", (context) => {
    const { spaceId, since } = readQuery(context, streamQuery);
    return stream(context, "stream", spaceId, since, (reader, now) =>
      hub.join(spaceId, now, now.since, reader),
    );
  });

  app.get("/api/sync", async (context) => {
    const { spaceId, types: list, limit = LIMITS.maxMessages } = readQuery(context, syncQuery);
    const types = list?.split(",").sort() ?? null;
    if (context.req.header("Accept")?.includes("text/event-stream")) {
      return stream(context, "sync", spaceId, undefined, (reader, now) =>
        feeds.join(spaceId, now, types, limit, reader),
      );
    }
    const cursor = cursorText(await admit(context, spaceId, null));
    // Weak: the timestamp differs. A poll of a space that is as it was costs one short query.
    context.header("ETag", `W/"${cursor}"`);
    // Private: what a cookie lets one read is not for others who ask a shared cache.
    context.header("Cache-Control", "private, no-cache");
    context.header("Vary", "Accept", { append: true });
    if (matches(context.req.header("If-None-Match"), cursor)) return context.body(null, 304);
    const snapshot = await database.largeReads.read(["state", spaceId, limit, types], () =>
      database.snapshot(spaceId, limit, types),
    );
    if (!snapshot) throw unknownSpace(spaceId);
    context.header("ETag", `W/"${cursorText(snapshot)}"`);
    context.header("Content-Type", "application/json");
    return context.body(snapshot.json);
  });

  /** Opens a stream, if there is room for one more. To HEAD it only says whether there would be. */
  async function stream(
    context: Asked,
    endpoint: "stream" | "sync",
    spaceId: string,
    since: string | undefined,
    join: (reader: Reader, now: Opening) => void,
  ): Promise<Response> {
    const { outgoing } = context.env;
    const caller = context.get("caller");
    demandRoom();
    const leave = throttle.enter(address(context), spaceId);
    let connection: Connection | undefined;
    try {
      const now = await admitFrom(
        context,
        spaceId,
        endpoint === "stream" ? lastEventIdOf(context) : "",
        since,
      );
      if (context.req.method === "HEAD") return context.body(null, 200, STREAM_HEADERS);
      await Connection.turn(outgoing);
      demandRoom(); // once more: meanwhile others may have come
      connection = new Connection(outgoing, endpoint, context.res.headers, metrics);
      clients++;
      connection.onClose(left);
      // At once, so that the reader knows how often they come.
      connection.heartbeat(hub.beat);
      join(new Reader(connection, rechecks.start(caller, spaceId, now, connection)), now);
      return RESPONSE_ALREADY_SENT;
    } catch (error) {
      // Once a stream has begun, no answer can say so: it ends, and the client comes back.
      if (outgoing.headersSent) outgoing.socket?.destroy();
      throw error;
    } finally {
      if (connection) connection.onClose(leave);
      else leave();
    }
  }

  function demandRoom(): void {
    if (clients < maxClients) return;
    throw new SpacefeedError(
      "unavailable",
      `this relay has ${maxClients} open streams, as many as it may: try again in a moment, or raise MAX_CLIENTS`,
      { limit: "clients" },
    );
  }

  function left(): void {
    clients--;
  }

  async function admit(context: Asked, spaceId: string, since: string | null): Promise<Opening> {
    const opening = await admission.open(context.get("caller").claims, spaceId, since);
    if (!opening) throw unknownSpace(spaceId);
    return opening;
  }

  async function admitFrom(context: Asked, spaceId: string, lastEventId = "", since = ""): Promise<Opening> {
    try {
      return await admit(context, spaceId, lastEventId || since || null);
    } catch (error) {
      // An EventSource cannot change its Last-Event-ID: one that says nothing to us is a foreign cursor (P11).
      const isForeign = lastEventId && error instanceof SpacefeedError && error.code === "invalid";
      if (!isForeign) throw error;
      return admit(context, spaceId, null);
    }
  }

  return app;
}

/** The header that an EventSource sends; polyfills that cannot set one put it into the query. */
function lastEventIdOf(context: Context): string | undefined {
  const query = Object.entries(context.req.query()).find(([name]) => /^last-?event-?id$/i.test(name));
  // No header has a NUL, and Postgres takes none.
  return context.req.header("Last-Event-ID") || query?.[1].replaceAll("\0", " ");
}

function matches(ifNoneMatch: string | undefined, cursor: string): boolean {
  const tags = ifNoneMatch?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return tags.includes("*") || tags.includes(`"${cursor}"`);
}
