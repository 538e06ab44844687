import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono } from "hono";
import { SpacefeedError } from "../../protocol/errors.js";
import { LIMITS, streamQuery, syncQuery } from "../../protocol/messages.js";
import type { Caller, Env } from "../auth/caller.js";
import { cursorText } from "../feed/cursor.js";
import type { Hub } from "../feed/hub.js";
import { spaceState } from "../feed/snapshot.js";
import type { Metrics } from "../metrics.js";
import { unknownSpace } from "../postgres/errors.js";
import type { Database, Opening } from "../postgres/functions.js";
import { Door } from "../stream/admission.js";
import { Connection, STREAM_HEADERS } from "../stream/connection.js";
import { Reader } from "../stream/reader.js";
import { Permits } from "../stream/recheck.js";
import type { StateFeeds } from "../stream/state-feed.js";
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
  const door = new Door(database);
  const permits = new Permits(database, metrics, recheckMs);
  let clients = 0;

  app.get("/api/stream", async (context) => {
    const { spaceId, since } = readQuery(context, streamQuery);
    const caller = context.get("caller");
    const lastEventId = lastEventIdOf(context);
    return seated(context, spaceId, async () => {
      const opening = await open(caller, spaceId, lastEventId, since);
      if (context.req.method === "HEAD") return null;
      await turnOf(context.env.outgoing);
      const connection = connect(context, "stream");
      const now = opening;
      const permit = permits.issue(caller, spaceId, now, connection);
      new Reader(hub, spaceId, connection, permit).start(now, opening.since);
      return connection;
    });
  });

  app.get("/api/sync", async (context) => {
    const { spaceId, types: list, limit = LIMITS.maxMessages } = readQuery(context, syncQuery);
    const types = new Set(list.split(","));
    const caller = context.get("caller");
    if (context.req.header("Accept")?.includes("text/event-stream")) {
      return seated(context, spaceId, async () => {
        const now = await open(caller, spaceId, undefined, undefined);
        if (context.req.method === "HEAD") return null;
        await turnOf(context.env.outgoing);
        const connection = connect(context, "sync");
        const permit = permits.issue(caller, spaceId, now, connection);
        feeds.join(spaceId, now, types, limit, { connection, permit });
        return connection;
      });
    }

    const cursor = cursorText(await open(caller, spaceId, undefined, undefined));
    // Weak: the timestamp differs. A poll of a space that is as it was costs one short query.
    context.header("ETag", `W/"${cursor}"`);
    // Private: what one may read with his cookie is not for who asks a shared cache after him.
    context.header("Cache-Control", "private, no-cache");
    context.header("Vary", "Accept", { append: true });
    if (matches(context.req.header("If-None-Match"), cursor)) return context.body(null, 304);
    const messages = types.has("intentions") ? limit : 0;
    const snapshot = await database.largeReads.read(["state", spaceId, messages, ...types], () =>
      database.snapshot(spaceId, messages, [...types]),
    );
    if (!snapshot) throw unknownSpace(spaceId);
    context.header("ETag", `W/"${cursorText(snapshot)}"`);
    context.header("Content-Type", "application/json");
    return context.body(spaceState(spaceId, snapshot, types));
  });

  /** Opens a stream, if there is room for one more. Null: it was only asked whether there would be one. */
  async function seated(context: Asked, spaceId: string, open: () => Promise<Connection | null>) {
    demandRoom();
    const leave = throttle.enter(address(context), spaceId);
    let connection: Connection | null = null;
    try {
      connection = await open();
    } catch (error) {
      // Once a stream has begun, no answer can say so: it ends, and the client comes back.
      const { outgoing } = context.env;
      if (outgoing.headersSent) outgoing.socket?.destroy();
      throw error;
    } finally {
      if (connection) connection.onClose(leave);
      else leave();
    }
    return connection ? RESPONSE_ALREADY_SENT : context.body(null, 200, STREAM_HEADERS);
  }

  /** Before the database is asked, and once more after it: meanwhile others may have come. */
  function demandRoom(): void {
    if (clients < maxClients) return;
    throw new SpacefeedError(
      "unavailable",
      `this relay has the ${maxClients} streams that it may have: come back in a moment, or raise MAX_CLIENTS`,
      { limit: "clients" },
    );
  }

  function connect(context: Asked, endpoint: "stream" | "sync"): Connection {
    demandRoom();
    const connection = new Connection(context.env.outgoing, endpoint, context.res.headers, metrics);
    clients++;
    connection.onClose(leave);
    // At once, so that the reader knows how often they come.
    connection.heartbeat(hub.beat);
    return connection;
  }

  function leave(): void {
    clients--;
  }

  async function open(
    { claims }: Caller,
    spaceId: string,
    lastEventId: string | undefined,
    since: string | undefined,
  ) {
    let opening: Opening | null;
    try {
      opening = await door.open(claims, spaceId, lastEventId || since || null);
    } catch (error) {
      // An EventSource cannot mend its Last-Event-ID: one that says nothing to us is a foreign cursor (P11).
      const isForeign = lastEventId && error instanceof SpacefeedError && error.code === "invalid";
      if (!isForeign) throw error;
      opening = await door.open(claims, spaceId, null);
    }
    if (opening === null) throw unknownSpace(spaceId);
    return opening;
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

/** A browser may ask on a connection whose last answer has left, just before Node takes note of that. */
async function turnOf(response: ServerResponse): Promise<void> {
  for (let looks = 0; looks < 50 && !response.socket && !response.destroyed; looks++) await sleep(2);
}
