import { type Context, Hono } from "hono";
import { SpacefeedError } from "../protocol/errors.js";
import { beingRequest, intentionRequest, LIMITS } from "../protocol/messages.js";
import * as crud from "./crud.js";
import { parseCursor } from "./cursor.js";
import type { Database } from "./database.js";
import { check, NOBODY, readJson, unknownSpace } from "./request.js";

/** `POST /api/beings` and `POST /api/intentions`. */
export function entityRoutes(database: Database): Hono {
  const app = new Hono();

  app.post("/api/beings", async (context) => {
    const request = check(beingRequest, await readJson(context));
    switch (request.action) {
      case "get":
        return answer(
          context,
          await crud.get(database, NOBODY, crud.BEING, request.beingId, request.spaceId),
        );
      case "list": {
        await mustExist(request.spaceId);
        const json = await crud.listBeings(database, NOBODY, request.spaceId, request.limit ?? null);
        return answer(context, { json, spaceId: request.spaceId });
      }
      case "create":
        return create(context, crud.BEING, { ...request, entityId: request.beingId });
      case "update":
        return update(context, crud.BEING, request.beingId, request);
      case "delete":
        return answer(
          context,
          await crud.remove(database, NOBODY, crud.BEING, request.beingId, request.spaceId),
        );
    }
  });

  app.post("/api/intentions", async (context) => {
    const request = check(intentionRequest, await readJson(context));
    switch (request.action) {
      case "get":
        return answer(
          context,
          await crud.get(database, NOBODY, crud.INTENTION, request.intentionId, request.spaceId),
        );
      case "list": {
        await mustExist(request.spaceId);
        const limit = request.limit ?? LIMITS.defaultPage;
        const json = await crud.listIntentions(database, NOBODY, request.spaceId, limit, request.before);
        return answer(context, { json, spaceId: request.spaceId });
      }
      case "create":
        return create(context, crud.INTENTION, { ...request, entityId: request.intentionId });
      case "update":
        return update(context, crud.INTENTION, request.intentionId, request);
      case "delete":
        return answer(
          context,
          await crud.remove(database, NOBODY, crud.INTENTION, request.intentionId, request.spaceId),
        );
    }
  });

  /** An ID and a location may be said beside `data` or in it, but not differently. */
  async function create(
    context: Context,
    entity: crud.Entity,
    request: { entityId?: string | undefined; spaceId?: string | undefined; data?: Fields | undefined },
  ) {
    const { id: dataId, locationId: dataLocation, ...fields } = request.data ?? {};
    const id = agree("the ID", request.entityId, dataId);
    const location = agree("the space", request.spaceId, dataLocation);
    // A space that is in no space is in itself: that is the trigger's to say, and then a retry is the same.
    const locationId = fields.type === "space" && location === null ? undefined : location;
    if (entity === crud.INTENTION && typeof locationId !== "string") {
      throw new SpacefeedError("invalid", "spaceId: a message is said in a space");
    }
    const isOwnSpace = fields.type === "space" && locationId === id;
    if (typeof locationId === "string" && !isOwnSpace) await mustExist(locationId);
    const stored = await crud.create(database, NOBODY, entity, { ...fields, id, locationId } as crud.Fields);
    return answer(context, stored);
  }

  async function update(
    context: Context,
    entity: crud.Entity,
    id: string,
    request: { spaceId?: string | undefined; data: Fields },
  ) {
    const { locationId } = request.data;
    if (typeof locationId === "string") await mustExist(locationId);
    return answer(context, await crud.update(database, NOBODY, entity, id, request.spaceId, request.data));
  }

  async function mustExist(spaceId: string): Promise<void> {
    if ((await database.currentCursor(spaceId)) === null) throw unknownSpace(spaceId);
  }

  /** `version`: the space's at or after the change; null for a being that is in no space. */
  async function answer(context: Context, { json, spaceId }: crud.Stored): Promise<Response> {
    const cursor = spaceId === null ? null : await database.currentCursor(spaceId);
    const version = cursor === null ? null : parseCursor(cursor).version;
    return context.body(`{"success":true,"data":${json},"version":${version}}`, 200, {
      "Content-Type": "application/json",
    });
  }

  return app;
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
