import { z } from "zod";
import { unstorable, unstorableText } from "./json.js";

/** Sizes that a client runs into, in the units of their names. */
export const LIMITS = {
  bodyBytes: 256 * 1024,
  idCharacters: 255,
  defaultPage: 100,
  maxPage: 1_000,
  maxMessages: 10_000,
} as const;

const BEING_TYPES = ["guest", "space", "bot", "document"] as const;
const INTENTION_TYPES = ["utterance", "error"] as const;
const INTENTION_STATES = ["draft", "active", "paused", "complete", "cancelled", "failed"] as const;

/** The ID of a being, a message or a space: 1 to 255 characters, none of them a control character. */
export const id = z
  .string()
  .min(1, "must not be empty")
  .refine(
    (text) => [...text].length <= LIMITS.idCharacters,
    `must have at most ${LIMITS.idCharacters} characters`,
  )
  .superRefine(faultOf(unstorableText))
  .refine((text) => !/\p{Cc}/u.test(text), "must not have control characters")
  .meta({ maxLength: LIMITS.idCharacters });

const text = z.string().superRefine(faultOf(unstorableText));
const jsonValue = z.unknown().superRefine(faultOf(unstorable));
const jsonArray = z.array(z.unknown()).superRefine(faultOf(unstorable));
const jsonObject = z
  .custom<Record<string, unknown>>(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    "must be an object",
  )
  .superRefine(faultOf(unstorable))
  .meta({ type: "object" });

// ISO 8601 in UTC, with microseconds.
const time = z.string().meta({ format: "date-time" });

export const being = z.object({
  id,
  name: z.string(),
  type: z.enum(BEING_TYPES),
  ownerId: id.nullable(),
  locationId: id.nullable(),
  metadata: z.unknown(),
  properties: z.unknown(),
  content: z.unknown(),
  createdAt: time,
  modifiedAt: time,
});
/** A person, bot, document or space, as `sync.being_json` sends it. */
export type Being = z.infer<typeof being>;

export const intention = z.object({
  id,
  messageId: z.string(),
  name: z.string(),
  type: z.enum(INTENTION_TYPES),
  state: z.enum(INTENTION_STATES),
  ownerId: id.nullable(),
  locationId: id,
  content: z.array(z.unknown()),
  createdAt: time,
  modifiedAt: time,
});
/** A message, as `sync.intention_json` sends it. `Content`: what its parts are to whoever writes and reads them. */
export interface Intention<Content = unknown> extends Omit<z.infer<typeof intention>, "content"> {
  content: Content[];
}

/** What a tracked table's rows are called on the wire. */
export const entityType = z
  .string()
  .regex(
    /^[a-z][A-Za-z0-9]{0,39}$/,
    "must be the name of a tracked table: a small letter, then letters and digits",
  );
export const entity = z.looseObject({ id });
/** A row of a tracked table, as its wire function sends it. */
export type Entity = z.infer<typeof entity>;
const entities = z.record(entityType, z.array(entity));

const version = z.int().nonnegative();
/** The last event of a group has these two: the version that it builds on, and the cursor after it. */
const groupEnd = { prev: version.optional(), cursor: z.string().optional() };

export const spaceSync = z.object({
  type: z.literal("space-sync"),
  spaceId: id,
  version,
  cursor: z.string(),
  timestamp: time,
  beings: z.array(being),
  intentions: z.array(intention),
  /** The rows of tracked tables. */
  entities: entities.optional(),
  lastMessageId: z.string().nullable(),
  hasMore: z.boolean(),
});

export const syncEvent = z.discriminatedUnion("type", [
  spaceSync,
  z.object({
    type: z.literal("intention-created"),
    messageId: z.string(),
    version,
    data: intention,
    ...groupEnd,
  }),
  z.object({
    type: z.literal("intention-updated"),
    messageId: z.string(),
    version,
    data: intention,
    ...groupEnd,
  }),
  z.object({ type: z.literal("intention-deleted"), messageId: z.string(), version, id, ...groupEnd }),
  z.object({ type: z.literal("being-created"), version, data: being, ...groupEnd }),
  z.object({ type: z.literal("being-updated"), version, data: being, ...groupEnd }),
  z.object({ type: z.literal("being-deleted"), version, id, ...groupEnd }),
]);
/** What `GET /api/stream` sends of beings and intentions, one in each unnamed SSE message. */
export type SyncEvent = z.infer<typeof syncEvent>;

export const entityEvent = z.union([
  z.object({
    type: z.string().regex(/^(?!being-|intention-)[a-z][A-Za-z0-9]{0,39}-(created|updated)$/),
    id,
    version,
    data: entity,
    ...groupEnd,
  }),
  z.object({
    type: z.string().regex(/^(?!being-|intention-)[a-z][A-Za-z0-9]{0,39}-deleted$/),
    id,
    version,
    ...groupEnd,
  }),
]);
/** What it sends of tracked tables, as `task-created`. A client that does not know the type leaves it out. */
export type EntityEvent = z.infer<typeof entityEvent>;

export const spaceState = z.object({
  spaceId: id,
  version,
  timestamp: time,
  beings: z.array(being).optional(),
  intentions: z.array(intention).optional(),
  entities: entities.optional(),
  cursor: z.string(),
  hasMore: z.boolean(),
  changeInfo: z
    .object({
      type: z.enum(["add", "update", "delete"]),
      entityType,
      entityId: id,
    })
    .optional(),
});
/** What `GET /api/sync` sends: the complete state of a space. */
export type SpaceState = z.infer<typeof spaceState>;

const beingData = z.strictObject({
  name: text.optional(),
  type: z.enum(BEING_TYPES).optional(),
  ownerId: id.nullable().optional(),
  locationId: id.nullable().optional(),
  metadata: jsonObject.optional(),
  properties: jsonObject.optional(),
  content: jsonValue.optional(),
});
const intentionData = z.strictObject({
  name: text.optional(),
  type: z.enum(INTENTION_TYPES).optional(),
  state: z.enum(INTENTION_STATES).optional(),
  ownerId: id.nullable().optional(),
  locationId: id.optional(),
  content: jsonArray.optional(),
});
const page = z.int().min(1).max(LIMITS.maxPage).optional();
const changed = <T extends object>(data: T) => Object.keys(data).length > 0;
const NOTHING_CHANGED = "names nothing to change";

/** The body of `POST /api/beings`. */
export const beingRequest = z.discriminatedUnion("action", [
  z.strictObject({ action: z.literal("get"), beingId: id, spaceId: id.optional() }),
  z.strictObject({ action: z.literal("list"), spaceId: id, limit: page }),
  z.strictObject({
    action: z.literal("create"),
    beingId: id.optional(),
    spaceId: id.optional(),
    data: beingData.extend({ id: id.optional() }).optional(),
  }),
  z.strictObject({
    action: z.literal("update"),
    beingId: id,
    spaceId: id.optional(),
    data: beingData.refine(changed, NOTHING_CHANGED),
  }),
  z.strictObject({ action: z.literal("delete"), beingId: id, spaceId: id.optional() }),
]);
export type BeingRequest = z.infer<typeof beingRequest>;

/** The body of `POST /api/intentions`. */
export const intentionRequest = z.discriminatedUnion("action", [
  z.strictObject({ action: z.literal("get"), intentionId: id, spaceId: id.optional() }),
  z.strictObject({ action: z.literal("list"), spaceId: id, limit: page, before: id.optional() }),
  z.strictObject({
    action: z.literal("create"),
    intentionId: id.optional(),
    spaceId: id.optional(),
    data: intentionData.extend({ id: id.optional() }).optional(),
  }),
  z.strictObject({
    action: z.literal("update"),
    intentionId: id,
    spaceId: id.optional(),
    data: intentionData.refine(changed, NOTHING_CHANGED),
  }),
  z.strictObject({ action: z.literal("delete"), intentionId: id, spaceId: id.optional() }),
]);
export type IntentionRequest = z.infer<typeof intentionRequest>;

const entityData = z.record(z.string(), z.unknown()).superRefine(faultOf(unstorable));

/** The body of `POST /api/entities`. */
export const entityRequest = z.discriminatedUnion("action", [
  z.strictObject({ action: z.literal("get"), type: entityType, id, spaceId: id.optional() }),
  z.strictObject({
    action: z.literal("list"),
    type: entityType,
    spaceId: id,
    limit: page,
    before: id.optional(),
  }),
  z.strictObject({
    action: z.literal("create"),
    type: entityType,
    id: id.optional(),
    spaceId: id.optional(),
    data: entityData.optional(),
  }),
  z.strictObject({
    action: z.literal("update"),
    type: entityType,
    id,
    spaceId: id.optional(),
    data: entityData.refine(changed, NOTHING_CHANGED),
  }),
  z.strictObject({ action: z.literal("delete"), type: entityType, id, spaceId: id.optional() }),
]);
export type EntityRequest = z.infer<typeof entityRequest>;

/** The query of `GET /api/stream`. `since`: a cursor, a version, a message ID or an ISO 8601 time. */
export const streamQuery = z.object({ spaceId: id, since: text.optional() });

/** The query of `GET /api/sync`. */
export const syncQuery = z.object({
  spaceId: id,
  types: z
    .string()
    .regex(
      /^[a-z][A-Za-z0-9]*(,[a-z][A-Za-z0-9]*)*$/,
      "must be a list of beings, intentions and the names of tracked tables, with commas",
    )
    .refine((list) => new Set(list.split(",")).size === list.split(",").length, "must name each list once")
    .optional(),
  limit: z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().max(LIMITS.maxMessages))
    .optional(),
});

function faultOf<T>(check: (value: T) => string | null) {
  return (value: T, context: z.RefinementCtx) => {
    const fault = check(value);
    if (fault) context.addIssue({ code: "custom", message: fault });
  };
}
