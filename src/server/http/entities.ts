import { randomUUID } from "node:crypto";
import { type Context, Hono } from "hono";
import type { z } from "zod";
import { SpacefeedError } from "../../protocol/errors.js";
import { LIMITS } from "../../protocol/messages.js";
import { beingRequest, entityRequest, intentionRequest } from "../../protocol/requests.js";
import type { Env } from "../auth/caller.js";
import type { Database, Page, Write } from "../postgres/functions.js";
import type { Throttle } from "./limits/throttle.js";
import { check, readJson } from "./request.js";

type Asked = Context<Env>;
/** What all requests have that were checked. The ID is in the field that the route calls it by. */
interface Request {
  action: "get" | "list" | "create" | "update" | "delete";
  type?: string;
  spaceId?: string;
  limit?: number;
  before?: string;
  data?: { id?: string; locationId?: string | null };
}

/** `POST /api/beings`, `POST /api/intentions`, and of tracked tables `POST /api/entities`. `address`: whose request it is, null where that has no limit. */
export function entityRoutes(
  database: Database,
  throttle: Throttle,
  address: (context: Asked) => string | null,
): Hono<Env> {
  const app = new Hono<Env>();
  app.post("/api/beings", (context) => answer(context, beingRequest, "beingId", "being"));
  app.post("/api/intentions", (context) => answer(context, intentionRequest, "intentionId", "intention"));
  app.post("/api/entities", (context) => answer(context, entityRequest, "id"));
  return app;

  /** `ours`: the type where it is not a tracked table of somebody else. */
  async function answer(context: Asked, schema: z.ZodType, key: string, ours?: string) {
    const { text: body, value } = await readJson(context);
    const request = check(schema, value) as Request & Record<string, string | undefined>;
    const { claims } = context.get("caller");
    const { action, spaceId, before, data = {}, type = ours as string, [key]: id } = request;
    const limit = request.limit ?? (type === "intention" ? LIMITS.defaultPage : undefined);
    if (action === "get") return send(context, await database.get(claims, type, id as string, spaceId));
    if (action === "list")
      return send(context, await database.list(claims, type, spaceId as string, limit, before));
    if (action !== "create") {
      return write(context, action, type, id, { spaceId, body }, data.locationId ?? spaceId);
    }
    // An ID and a location may be said beside `data` or in it, but not differently.
    const named = agree("the ID", id, data.id);
    if (!ours) return write(context, action, type, named, { spaceId, body }, spaceId);
    const locationId = agree<string | null>("the space", spaceId, data.locationId) ?? undefined;
    if (type === "intention" && locationId === undefined) {
      throw new SpacefeedError("invalid", "spaceId: is missing, and every message belongs to a space");
    }
    const given = locationId === undefined ? {} : { locationId };
    return write(context, action, type, named ?? randomUUID(), { body, given }, locationId);
  }

  /** Does a write that the limits let through, and counts it. `toSpaceId`: a space that it goes to, if it is known. */
  async function write(
    context: Asked,
    action: "create" | "update" | "delete",
    type: string,
    id: string | undefined,
    what: Write,
    toSpaceId: string | undefined,
  ): Promise<Response> {
    await throttle.write(address(context));
    throttle.demandRoom(toSpaceId ?? null);
    const { fullSpaces } = throttle;
    const { claims } = context.get("caller");
    const stored = await database
      .write(claims, action, type, id, { ...what, fullSpaces })
      .catch((error: SpacefeedError) => {
        if (error.code === "rate_limited") throttle.demandRoom(error.message);
        throw error;
      });
    await throttle.written(stored.spaceId);
    // Of the space that a row of a tracked table was asked for in, though it has left it: the row does not say where it is.
    const isOurs = type === "being" || type === "intention";
    const at = (isOurs ? undefined : what.spaceId) ?? stored.spaceId;
    const known = at === stored.spaceId ? stored.version : null;
    const version = known ?? (at === null ? null : await database.reach(at));
    return send(context, { ...stored, version, hasMore: null });
  }
}

/** `version`: the space's at or after the change; null for a being that is in no space. */
function send(context: Asked, { data, version, hasMore }: Page): Response {
  const more = hasMore === null ? "" : `,"hasMore":${hasMore}`;
  return context.body(`{"success":true,"data":${data},"version":${version}${more}}`, 200, {
    "Content-Type": "application/json",
  });
}

function agree<T>(what: string, outside: T | undefined, inside: T | undefined): T | undefined {
  if (outside !== undefined && inside !== undefined && outside !== inside) {
    throw new SpacefeedError(
      "invalid",
      `${what} is given twice, and differently: "${outside}" and "${inside}"`,
    );
  }
  return outside ?? inside;
}
