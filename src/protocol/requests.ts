import { z } from "zod";
import { unstorable, unstorableText } from "./json.js";
import {
  BEING_TYPES,
  entityType,
  faultOf,
  INTENTION_STATES,
  INTENTION_TYPES,
  id,
  LIMITS,
} from "./messages.js";

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

/** The query of `GET /api/stream`. `appends`: texts that grow come as what they grew by. `since`: a cursor, a version, a message ID or an ISO 8601 time. */
export const streamQuery = z.object({
  spaceId: id,
  since: text.optional(),
  appends: z.literal("1").optional(),
});

/** Each space with the cursor that the client has of it; null: none yet. */
const spaces = z
  .record(id, text.nullable())
  .refine(
    (all) => Object.keys(all).length <= LIMITS.spacesPerStream,
    `must be at most ${LIMITS.spacesPerStream}`,
  );

/** The body of `POST /api/stream`. */
export const streamRequest = z.strictObject({ spaces, appends: z.boolean().optional() });

/** The body of `POST /api/stream/<stream ID>`. */
export const streamChange = z.strictObject({ add: spaces.optional(), drop: z.array(id).optional() });

/** The query of `GET /api/stream` with several spaces. */
export const manySpacesQuery = z.object({
  spaceId: z
    .array(id)
    .max(LIMITS.spacesPerStream)
    .refine((ids) => new Set(ids).size === ids.length, "is given more than once"),
  since: z.undefined("is of one space: send the cursor of each with POST /api/stream"),
});

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
