import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono } from "hono";
import { SpacefeedError } from "../../protocol/errors.js";
import { LIMITS } from "../../protocol/messages.js";
import { streamQuery, syncQuery } from "../../protocol/requests.js";
import type { Env } from "../auth/caller.js";
import { cursorText } from "../feed/cursor.js";
import type { Hub } from "../feed/hub.js";
import type { StateFeeds } from "../feed/state-feed.js";
import { unknownSpace } from "../postgres/errors.js";
import type { Database, Opening } from "../postgres/functions.js";
import { STREAM_HEADERS } from "../stream/connection.js";
import type { Reader } from "../stream/reader.js";
import type { StreamForm } from "../stream/stream.js";
import type { Streams } from "../stream/streams.js";
import type { Throttle } from "./limits/throttle.js";
import { readQuery } from "./request.js";

type Asked = Context<Env>;

export interface StreamParts {
  database: Database;
  hub: Hub;
  feeds: StateFeeds;
  streams: Streams;
  throttle: Throttle;
  /** Whose request it is, null where that has no limit. */
  address(context: Asked): string | null;
}

/** `GET /api/stream` (events) and `GET /api/sync` (complete state) of one space. */
export function streamRoutes({ database, hub, feeds, streams, throttle, address }: StreamParts): Hono<Env> {
  const app = new Hono<Env>();

  app.get("/api/stream", (context, next) => {
    if ((context.req.queries("spaceId")?.length ?? 0) > 1) return next();
    const { spaceId, since, appends } = readQuery(context, streamQuery);
    const form = { isNamed: false, takesAppends: appends === "1" };
    return stream(context, "stream", form, spaceId, since, null, (reader, now) =>
      hub.join(spaceId, now, now.since, reader),
    );
  });

  app.get("/api/sync", async (context) => {
    const { spaceId, types: list, limit = LIMITS.maxMessages } = readQuery(context, syncQuery);
    const types = list?.split(",").sort() ?? null;
    if (context.req.header("Accept")?.includes("text/event-stream")) {
      const form = { isNamed: false, takesAppends: false };
      return stream(context, "sync", form, spaceId, undefined, types, (reader, now) =>
        feeds.join(spaceId, now, types, limit, reader),
      );
    }
    const cursor = cursorText(await streams.admit(context.get("caller"), spaceId, null));
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
    form: StreamForm,
    spaceId: string,
    since: string | undefined,
    types: readonly string[] | null,
    join: (reader: Reader, now: Opening) => void,
  ): Promise<Response> {
    const caller = context.get("caller");
    streams.demandRoom();
    const leave = throttle.enter(address(context), [spaceId]);
    let isOpen = false;
    try {
      const lastEventId = endpoint === "stream" ? lastEventIdOf(context) : "";
      const now = await admitFrom(context, spaceId, lastEventId, since);
      if (types) await database.demandTypes(types);
      if (context.req.method === "HEAD") return context.body(null, 200, STREAM_HEADERS);
      const { outgoing } = context.env;
      await streams.begin(outgoing, endpoint, context.res.headers, caller, form, (begun) => {
        isOpen = true;
        begun.follow(spaceId, now, (reader) => join(reader, now), leave);
      });
      return RESPONSE_ALREADY_SENT;
    } finally {
      if (!isOpen) leave();
    }
  }

  async function admitFrom(context: Asked, spaceId: string, lastEventId = "", since = ""): Promise<Opening> {
    const caller = context.get("caller");
    try {
      return await streams.admit(caller, spaceId, lastEventId || since || null);
    } catch (error) {
      // An EventSource cannot change its Last-Event-ID: one that says nothing to us is a foreign cursor (P11).
      const isForeign = lastEventId && error instanceof SpacefeedError && error.code === "invalid";
      if (!isForeign) throw error;
      return streams.admit(caller, spaceId, null);
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
