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
const entityData = z.record(z.string(), z.unknown()).superRefine(faultOf(unstorable));
const changed = <T extends object>(data: T) => Object.keys(data).length > 0;

/**
 * What may be asked of one kind of rows, which a request calls by `ids` and perhaps more (`kind`). `created`, `updated`: what
 * a write may say of a row; `older`: what a list goes back from.
 */
function requests<
  Kind extends z.ZodRawShape,
  Ids extends z.ZodRawShape,
  Created extends z.ZodType,
  Updated extends z.ZodType<object>,
  Older extends z.ZodRawShape,
>(kind: Kind, ids: Ids, created: Created, updated: Updated, older: Older) {
  const spaceId = id.optional();
  const one = { ...kind, ...ids, spaceId };
  const limit = z.int().min(1).max(LIMITS.maxPage).optional();
  const some = z.object(ids).partial().shape;
  return z.discriminatedUnion("action", [
    z.strictObject({ action: z.literal("get"), ...one }),
    z.strictObject({ action: z.literal("list"), ...kind, spaceId: id, limit, ...older }),
    z.strictObject({ action: z.literal("create"), ...kind, ...some, spaceId, data: created.optional() }),
    z.strictObject({
      action: z.literal("update"),
      ...one,
      data: updated.refine(changed, "names nothing to change"),
    }),
    z.strictObject({ action: z.literal("delete"), ...one }),
  ]);
}

const given = { id: id.optional() };
const older = { before: id.optional() };

/** The body of `POST /api/beings`. */
export const beingRequest = requests({}, { beingId: id }, beingData.extend(given), beingData, {});
export type BeingRequest = z.infer<typeof beingRequest>;

/** The body of `POST /api/intentions`. */
export const intentionRequest = requests(
  {},
  { intentionId: id },
  intentionData.extend(given),
  intentionData,
  older,
);
export type IntentionRequest = z.infer<typeof intentionRequest>;

/** The body of `POST /api/entities`. */
export const entityRequest = requests({ type: entityType }, { id }, entityData, entityData, older);
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
