import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono } from "hono";
import { SpacefeedError } from "../../protocol/errors.js";
import { LIMITS } from "../../protocol/messages.js";
import { manySpacesQuery, streamChange, streamRequest } from "../../protocol/requests.js";
import type { Env } from "../auth/caller.js";
import type { Opening } from "../postgres/functions.js";
import { STREAM_HEADERS } from "../stream/connection.js";
import type { Stream } from "../stream/stream.js";
import { check, readJson } from "./request.js";
import type { StreamParts } from "./stream.js";

type Asked = Context<Env>;
/** What became of the question for one space. */
type Answer =
  | { spaceId: string; refusal: SpacefeedError }
  | { spaceId: string; now: Opening; leave: () => void };

/** `POST /api/stream`: the events of many spaces on one stream, to which spaces can be added, and from which they can be dropped. */
export function manySpacesRoutes({ hub, streams, throttle, address }: StreamParts): Hono<Env> {
  const app = new Hono<Env>();

  app.get("/api/stream", (context) => {
    const { spaceId } = check(manySpacesQuery, {
      spaceId: context.req.queries("spaceId"),
      since: context.req.query("since"),
    });
    const spaces = Object.fromEntries(spaceId.map((id) => [id, null]));
    return open(context, spaces, context.req.query("appends") === "1");
  });

  app.post("/api/stream", async (context) => {
    const { value } = await readJson(context);
    const { spaces, appends = false } = check(streamRequest, value);
    return open(context, spaces, appends);
  });

  app.post("/api/stream/:id", async (context) => {
    const { value } = await readJson(context);
    const { add = {}, drop = [] } = check(streamChange, value);
    const stream = streams.get(context.req.param("id"), context.get("caller"));
    for (const spaceId of drop) stream.drop(spaceId);
    demandFew(stream.spaces + Object.keys(add).length);
    follow(stream, await ask(context, add));
    return context.json({ success: true, spaces: stream.spaces });
  });

  async function open(
    context: Asked,
    spaces: Record<string, string | null>,
    takesAppends: boolean,
  ): Promise<Response> {
    streams.demandRoom();
    const leave = throttle.enter(address(context), []);
    let answers: Answer[] = [];
    let isOpen = false;
    try {
      answers = await ask(context, spaces);
      if (context.req.method === "HEAD") return context.body(null, 200, STREAM_HEADERS);
      const { outgoing } = context.env;
      await streams.begin(
        outgoing,
        "stream",
        context.res.headers,
        context.get("caller"),
        { isNamed: true, takesAppends },
        (stream) => {
          isOpen = true;
          stream.connection.onClose(leave);
          follow(stream, answers);
        },
      );
      return RESPONSE_ALREADY_SENT;
    } finally {
      if (!isOpen) {
        leave();
        leaveAll(answers);
      }
    }
  }

  /** May the caller read each, and where is it? Throws `unavailable`: then there is nothing to say of any. */
  async function ask(context: Asked, spaces: Record<string, string | null>): Promise<Answer[]> {
    const caller = context.get("caller");
    const answers = await Promise.all(
      Object.entries(spaces).map(async ([spaceId, since]): Promise<Answer> => {
        let leave: (() => void) | undefined;
        try {
          leave = throttle.enter(null, [spaceId]);
          return { spaceId, now: await streams.admit(caller, spaceId, since), leave };
        } catch (error) {
          leave?.();
          if (!(error instanceof SpacefeedError)) throw error;
          return { spaceId, refusal: error };
        }
      }),
    );
    const away = answers.find((answer) => "refusal" in answer && answer.refusal.code === "unavailable");
    if (away && "refusal" in away) {
      leaveAll(answers);
      throw away.refusal;
    }
    return answers;
  }

  function follow(stream: Stream, answers: Answer[]): void {
    for (const answer of answers) {
      const { spaceId } = answer;
      if ("refusal" in answer) stream.refuse(spaceId, answer.refusal);
      else
        stream.follow(
          spaceId,
          answer.now,
          (reader) => hub.join(spaceId, answer.now, answer.now.since, reader),
          answer.leave,
        );
    }
  }

  return app;
}

/** Those that were let in are followed by nobody. */
function leaveAll(answers: Answer[]): void {
  for (const answer of answers) if ("leave" in answer) answer.leave();
}

function demandFew(spaces: number): void {
  if (spaces <= LIMITS.spacesPerStream) return;
  throw new SpacefeedError(
    "invalid",
    `spaces: a stream has at most ${LIMITS.spacesPerStream}: drop some, or open another`,
  );
}
