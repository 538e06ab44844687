import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono } from "hono";
import { SpacefeedError } from "../../protocol/errors.js";
import { LIMITS } from "../../protocol/messages.js";
import {
  manySpacesQuery,
  streamChange,
  streamQuery,
  streamRequest,
  syncQuery,
} from "../../protocol/requests.js";
import type { Env } from "../auth/caller.js";
import { cursorText } from "../feed/cursor.js";
import type { Hub } from "../feed/hub.js";
import type { StateFeeds } from "../feed/state-feed.js";
import { unknownSpace } from "../postgres/errors.js";
import type { Database, Opening } from "../postgres/functions.js";
import { STREAM_HEADERS } from "../stream/connection.js";
import type { Reader } from "../stream/reader.js";
import type { Stream, StreamForm } from "../stream/stream.js";
import type { Streams } from "../stream/streams.js";
import type { Throttle } from "./limits/throttle.js";
import { check, readJson, readQuery } from "./request.js";

type Asked = Context<Env>;
/** Each space with what its client has of it; null: nothing. */
type Spaces = Record<string, string | null>;
type Join = (spaceId: string, now: Opening, reader: Reader) => void;
/** What became of the question for one space: where it is, or why its client may not follow it. */
interface Answer {
  spaceId: string;
  now?: Opening;
  refusal?: SpacefeedError;
  leave(): void;
}

export interface StreamParts {
  database: Database;
  hub: Hub;
  feeds: StateFeeds;
  streams: Streams;
  throttle: Throttle;
  /** Whose request it is, null where that has no limit. */
  address(context: Asked): string | null;
}

/**
 * `GET /api/stream` (events) and `GET /api/sync` (complete state) of one space, and `POST /api/stream` of many, to which
 * spaces can be added, and from which they can be dropped. What is refused of the one space is the answer; of many it is
 * an event of its space.
 */
export function streamRoutes({ database, hub, feeds, streams, throttle, address }: StreamParts): Hono<Env> {
  const app = new Hono<Env>();
  const joinHub: Join = (spaceId, now, reader) => hub.join(spaceId, now, now.since, reader);

  app.get("/api/stream", (context) => {
    const all = context.req.queries("spaceId") ?? [];
    if (all.length > 1) {
      const { since, appends } = context.req.query();
      const { spaceId: ids } = check(manySpacesQuery, { spaceId: all, since });
      const form: StreamForm = { endpoint: "stream", isNamed: true, takesAppends: appends === "1" };
      return open(context, form, Object.fromEntries(ids.map((id) => [id, null])));
    }
    const { spaceId, since, appends } = readQuery(context, streamQuery);
    const lastEventId = lastEventIdOf(context);
    const form: StreamForm = { endpoint: "stream", isNamed: false, takesAppends: appends === "1" };
    return open(context, form, { [spaceId]: lastEventId || since || null }).catch((error) => {
      // An EventSource cannot change its Last-Event-ID: one that says nothing to us is a foreign cursor (P11).
      if (lastEventId && error.code === "invalid") return open(context, form, { [spaceId]: null });
      throw error;
    });
  });

  app.post("/api/stream", async (context) => {
    const { spaces, appends = false } = check(streamRequest, (await readJson(context)).value);
    return open(context, { endpoint: "stream", isNamed: true, takesAppends: appends }, spaces);
  });

  app.post("/api/stream/:id", async (context) => {
    const { add = {}, drop = [] } = check(streamChange, (await readJson(context)).value);
    const stream = streams.get(context.req.param("id"), context.get("caller"));
    for (const spaceId of drop) stream.drop(spaceId);
    const most = LIMITS.spacesPerStream;
    if (stream.spaces + Object.keys(add).filter((id) => !stream.has(id)).length > most) {
      throw new SpacefeedError("invalid", `spaces: a stream has at most ${most}: drop some, or open another`);
    }
    follow(stream, await ask(context, add, true, stream), joinHub);
    return context.json({ success: true, spaces: stream.spaces });
  });

  app.get("/api/sync", async (context) => {
    const { spaceId, types: list, limit = LIMITS.maxMessages } = readQuery(context, syncQuery);
    const types = list?.split(",").sort() ?? null;
    if (context.req.header("Accept")?.includes("text/event-stream")) {
      const form: StreamForm = { endpoint: "sync", isNamed: false, takesAppends: false, types };
      return open(context, form, { [spaceId]: null }, (_, now, reader) =>
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
  async function open(context: Asked, form: StreamForm, spaces: Spaces, join = joinHub): Promise<Response> {
    streams.demandRoom();
    const leave = throttle.enter("Address", address(context));
    let answers: Answer[] = [];
    let isOpen = false;
    try {
      answers = await ask(context, spaces, form.isNamed);
      if (form.types) await database.demandTypes(form.types);
      if (context.req.method === "HEAD") return context.body(null, 200, STREAM_HEADERS);
      await streams.begin(
        context.env.outgoing,
        context.res.headers,
        context.get("caller"),
        form,
        (stream) => {
          isOpen = true;
          stream.connection.onClose(leave);
          follow(stream, answers, join);
        },
      );
      return RESPONSE_ALREADY_SENT;
    } finally {
      if (!isOpen) for (const answer of [{ leave }, ...answers]) answer.leave();
    }
  }

  /**
   * May the caller read each, and where is it? Throws a refusal of the only one, or `unavailable`: then there is nothing to
   * say of any.
   */
  async function ask(context: Asked, spaces: Spaces, isNamed: boolean, stream?: Stream): Promise<Answer[]> {
    const caller = context.get("caller");
    const answers = await Promise.all(
      Object.entries(spaces).map(async ([spaceId, since]) => {
        const answer: Answer = { spaceId, leave() {} };
        try {
          answer.leave = throttle.enter("Space", spaceId, stream?.has(spaceId));
          answer.now = await streams.admit(caller, spaceId, since);
        } catch (error) {
          answer.refusal = error as SpacefeedError;
        }
        return answer;
      }),
    );
    const isOfOne = (error: unknown) => error instanceof SpacefeedError && error.code !== "unavailable";
    const refused = answers.find(({ refusal }) => refusal && !(isNamed && isOfOne(refusal)));
    if (!refused) return answers;
    for (const { leave } of answers) leave();
    throw refused.refusal;
  }

  function follow(stream: Stream, answers: Answer[], join: Join): void {
    for (const { spaceId, now, refusal, leave } of answers) {
      if (now) stream.follow(spaceId, now, (reader) => join(spaceId, now, reader), leave);
      else leave();
      if (refusal) stream.refuse(spaceId, refusal);
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
