import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono } from "hono";
import { SpacefeedError } from "../protocol/errors.js";
import { LIMITS, streamQuery, syncQuery } from "../protocol/messages.js";
import { Connection, STREAM_HEADERS } from "./connection.js";
import { parseCursor } from "./cursor.js";
import type { Database, Opening } from "./database.js";
import { Door } from "./door.js";
import type { Hub } from "./hub.js";
import type { Metrics } from "./metrics.js";
import { Reader } from "./reader.js";
import { NOBODY, readQuery, unknownSpace } from "./request.js";
import { spaceState } from "./snapshot-json.js";
import type { StateFeeds } from "./state-feed.js";

type Env = { Bindings: HttpBindings };

export interface StreamParts {
  database: Database;
  hub: Hub;
  feeds: StateFeeds;
  metrics: Metrics;
  /** Open streams, above which a newcomer is refused. */
  maxClients: number;
}

/** `GET /api/stream` (events) and `GET /api/sync` (complete state). */
export function streamRoutes({ database, hub, feeds, metrics, maxClients }: StreamParts): Hono<Env> {
  const app = new Hono<Env>();
  const door = new Door(database);
  let clients = 0;

  app.get("/api/stream", async (context) => {
    const { spaceId, since } = readQuery(context, streamQuery);
    demandRoom();
    const opening = await open(spaceId, context.req.header("Last-Event-ID"), since);
    if (context.req.method === "HEAD") return context.body(null, 200, STREAM_HEADERS);
    const reader = new Reader(hub, spaceId, connect(context, "stream"));
    reader.start(parseCursor(opening.cursor), opening.since);
    return RESPONSE_ALREADY_SENT;
  });

  app.get("/api/sync", async (context) => {
    const { spaceId, types: list, limit = LIMITS.maxMessages } = readQuery(context, syncQuery);
    const types = new Set(list.split(","));
    const { cursor } = await open(spaceId, undefined, undefined);
    if (context.req.header("Accept")?.includes("text/event-stream")) {
      if (context.req.method === "HEAD") return context.body(null, 200, STREAM_HEADERS);
      feeds.join(spaceId, parseCursor(cursor), types, limit, connect(context, "sync"));
      return RESPONSE_ALREADY_SENT;
    }

    // Weak: the timestamp differs. A poll of a space that is as it was costs one short query.
    context.header("ETag", `W/"${cursor}"`);
    context.header("Cache-Control", "no-cache");
    context.header("Vary", "Accept", { append: true });
    if (matches(context.req.header("If-None-Match"), cursor)) return context.body(null, 304);
    const snapshot = await database.snapshot(spaceId, types.has("intentions") ? limit : 0);
    if (!snapshot) throw unknownSpace(spaceId);
    context.header("ETag", `W/"${snapshot.cursor}"`);
    context.header("Content-Type", "application/json");
    return context.body(spaceState(spaceId, snapshot, types));
  });

  /** Before the database is asked, and once more after it: meanwhile others may have come. */
  function demandRoom(): void {
    if (clients < maxClients) return;
    metrics.turnedAway.inc();
    throw new SpacefeedError(
      "unavailable",
      `this relay has the ${maxClients} streams that it may have: come back in a moment, or raise MAX_CLIENTS`,
    );
  }

  function connect(context: Context<Env>, endpoint: "stream" | "sync"): Connection {
    demandRoom();
    const connection = new Connection(context.env.outgoing, endpoint, context.res.headers, metrics);
    clients++;
    connection.onClose(leave);
    return connection;
  }

  function leave(): void {
    clients--;
  }

  async function open(spaceId: string, lastEventId: string | undefined, since: string | undefined) {
    let opening: Opening;
    try {
      opening = await door.open(NOBODY, spaceId, lastEventId || since || null);
    } catch (error) {
      // An EventSource cannot mend its Last-Event-ID: one that says nothing to us is a foreign cursor (P11).
      const isForeign = lastEventId && error instanceof SpacefeedError && error.code === "invalid";
      if (!isForeign) throw error;
      opening = await door.open(NOBODY, spaceId, null);
    }
    const { cursor } = opening;
    if (cursor === null) throw unknownSpace(spaceId);
    return { cursor, since: opening.since };
  }

  return app;
}

function matches(ifNoneMatch: string | undefined, cursor: string): boolean {
  const tags = ifNoneMatch?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return tags.includes("*") || tags.includes(`"${cursor}"`);
}
