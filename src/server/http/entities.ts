import { type Context, Hono } from "hono";
import { SpacefeedError } from "../../protocol/errors.js";
import { beingRequest, intentionRequest, LIMITS } from "../../protocol/messages.js";
import type { Env } from "../auth/caller.js";
import * as crud from "../postgres/crud.js";
import type { Claims, Database } from "../postgres/functions.js";
import type { Reach } from "../postgres/reach.js";
import type { Throttle } from "./limits/throttle.js";
import { check, readJson, unknownSpace } from "./request.js";

type Asked = Context<Env>;

/** `POST /api/beings` and `POST /api/intentions`. `address`: whose request it is, null where that has no limit. */
export function entityRoutes(
  database: Database,
  reach: Reach,
  throttle: Throttle,
  address: (context: Asked) => string | null,
): Hono<Env> {
  const app = new Hono<Env>();

  app.post("/api/beings", async (context) => {
    const { text, value } = await readJson(context);
    const request = check(beingRequest, value);
    const { claims } = context.get("caller");
    switch (request.action) {
      case "get":
        return answer(
          context,
          await crud.get(database, claims, crud.BEING, request.beingId, request.spaceId),
        );
      case "list": {
        await mustExist(request.spaceId);
        const { spaceId, limit = null } = request;
        const json = await database.largeReads.read(["beings", claims, spaceId, limit], () =>
          crud.listBeings(database, claims, spaceId, limit),
        );
        return answer(context, { json, spaceId: request.spaceId });
      }
      case "create":
        return create(context, crud.BEING, { ...request, entityId: request.beingId, text });
      case "update":
        return update(context, crud.BEING, request.beingId, { ...request, text });
      case "delete":
        return remove(context, crud.BEING, request.beingId, request.spaceId);
    }
  });

  app.post("/api/intentions", async (context) => {
    const { text, value } = await readJson(context);
    const request = check(intentionRequest, value);
    const { claims } = context.get("caller");
    switch (request.action) {
      case "get":
        return answer(
          context,
          await crud.get(database, claims, crud.INTENTION, request.intentionId, request.spaceId),
        );
      case "list": {
        await mustExist(request.spaceId);
        const { spaceId, limit = LIMITS.defaultPage, before } = request;
        const page = await database.largeReads.read(["messages", claims, spaceId, limit, before], () =>
          crud.listIntentions(database, claims, spaceId, limit, before),
        );
        return answer(context, { json: page.json, spaceId }, page.hasMore);
      }
      case "create":
        return create(context, crud.INTENTION, { ...request, entityId: request.intentionId, text });
      case "update":
        return update(context, crud.INTENTION, request.intentionId, { ...request, text });
      case "delete":
        return remove(context, crud.INTENTION, request.intentionId, request.spaceId);
    }
  });

  /** An ID and a location may be said beside `data` or in it, but not differently. */
  async function create(
    context: Asked,
    entity: crud.Entity,
    request: {
      entityId?: string | undefined;
      spaceId?: string | undefined;
      data?: Fields | undefined;
      text: string;
    },
  ) {
    const { id: dataId, locationId: dataLocation, ...fields } = request.data ?? {};
    const id = agree("the ID", request.entityId, dataId);
    const location = agree("the space", request.spaceId, dataLocation);
    // A space that is in no space is in itself: that is the trigger's to say, and then a retry is the same.
    const locationId = fields.type === "space" && location === null ? undefined : location;
    if (entity === crud.INTENTION && typeof locationId !== "string") {
      throw new SpacefeedError("invalid", "spaceId: a message is said in a space");
    }
    return write(context, async (claims) => {
      throttle.demandRoom(locationId ?? null);
      const isOwnSpace = fields.type === "space" && locationId === id;
      if (typeof locationId === "string" && !isOwnSpace) await mustExist(locationId);
      return crud.create(database, claims, entity, {
        fields: { ...fields, locationId, ...(id !== undefined && { id }) },
        text: request.text,
      });
    });
  }

  async function update(
    context: Asked,
    entity: crud.Entity,
    id: string,
    request: { spaceId?: string | undefined; data: Fields; text: string },
  ) {
    const { locationId } = request.data;
    return write(context, async (claims) => {
      if (throttle.hasFullSpaces) {
        throttle.demandRoom(locationId ?? null);
        throttle.demandRoom((await crud.spaceOf(database, claims, "update", entity, id)) ?? null);
      }
      if (typeof locationId === "string") await mustExist(locationId);
      return crud.update(database, claims, entity, id, request.spaceId, {
        fields: request.data,
        text: request.text,
      });
    });
  }

  async function remove(context: Asked, entity: crud.Entity, id: string, spaceId: string | undefined) {
    return write(context, async (claims) => {
      if (throttle.hasFullSpaces) {
        throttle.demandRoom((await crud.spaceOf(database, claims, "delete", entity, id)) ?? null);
      }
      return crud.remove(database, claims, entity, id, spaceId);
    });
  }

  /** Does a write that the limits let through, and counts it. */
  async function write(context: Asked, work: (claims: Claims) => Promise<crud.Stored>): Promise<Response> {
    await throttle.write(address(context));
    const stored = await work(context.get("caller").claims);
    await throttle.written(stored.spaceId);
    const version = stored.spaceId === null ? null : await reach.of(stored.spaceId);
    return send(context, stored.json, version);
  }

  async function mustExist(spaceId: string): Promise<void> {
    if ((await database.currentCursor(spaceId)) === null) throw unknownSpace(spaceId);
  }

  /** What was read, and the version of its space. `hasMore`: of a page. */
  async function answer(
    context: Asked,
    { json, spaceId }: crud.Stored,
    hasMore?: boolean,
  ): Promise<Response> {
    const cursor = spaceId === null ? null : await database.currentCursor(spaceId);
    return send(context, json, cursor === null ? null : Number(cursor.split(".")[1]), hasMore);
  }

  return app;
}

/** `version`: the space's at or after the change; null for a being that is in no space. */
function send(context: Asked, json: string, version: number | null, hasMore?: boolean): Response {
  const more = hasMore === undefined ? "" : `,"hasMore":${hasMore}`;
  return context.body(`{"success":true,"data":${json},"version":${version}${more}}`, 200, {
    "Content-Type": "application/json",
  });
}

type Fields = { id?: string | undefined; locationId?: string | null | undefined; [field: string]: unknown };

function agree<T>(what: string, outside: T | undefined, inside: T | undefined): T | undefined {
  if (outside !== undefined && inside !== undefined && outside !== inside) {
    throw new SpacefeedError(
      "invalid",
      `${what} is given twice, and differently: "${outside}" and "${inside}"`,
    );
  }
  return outside ?? inside;
}
