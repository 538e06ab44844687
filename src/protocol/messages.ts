import { z } from "zod";
import { type ErrorCode, STATUS } from "./errors.js";
import { unstorableText } from "./json.js";

const CODES = Object.keys(STATUS) as [ErrorCode, ...ErrorCode[]];

/** Sizes that a client runs into, in the units of their names. */
export const LIMITS = {
  bodyBytes: 256 * 1024,
  idCharacters: 255,
  defaultPage: 100,
  maxPage: 1_000,
  maxMessages: 10_000,
  spacesPerStream: 1_000,
} as const;

export const BEING_TYPES = ["guest", "space", "bot", "document"] as const;
export const INTENTION_TYPES = ["utterance", "error"] as const;
export const INTENTION_STATES = ["draft", "active", "paused", "complete", "cancelled", "failed"] as const;

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

function change<Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) {
  return z.object({ type: z.literal(type), ...shape, version, ...groupEnd });
}
const messageId = z.string();

export const syncEvent = z.discriminatedUnion("type", [
  spaceSync,
  change("intention-created", { messageId, data: intention }),
  change("intention-updated", { messageId, data: intention }),
  change("intention-deleted", { messageId, id }),
  change("being-created", { data: being }),
  change("being-updated", { data: being }),
  change("being-deleted", { id }),
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
/**
 * What it sends with `appends=1`, of any type, instead of an update that appended: the text at `path` of the row, which has
 * `at` UTF-16 code units, goes on with `text`; `data` are the fields that changed beside it.
 */
export const appendEvent = z.object({
  type: z.string().regex(/^[a-z][A-Za-z0-9]{0,39}-appended$/),
  messageId: z.string().optional(),
  id,
  version,
  path: z.array(z.union([z.string(), z.int()])),
  at: z.int().nonnegative(),
  text: z.string(),
  data: z.record(z.string(), z.unknown()),
  ...groupEnd,
});
export type AppendEvent = z.infer<typeof appendEvent>;

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

/** What a stream of many spaces says beside their events, of which each has `spaceId`. */
export const manySpacesEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("stream"), streamId: z.string() }),
  z.object({ type: z.literal("space-refused"), spaceId: id, code: z.enum(CODES), error: z.string() }),
]);
export type ManySpacesEvent = z.infer<typeof manySpacesEvent>;

/** Checks with what says a fault, or null. */
export function faultOf<T>(check: (value: T) => string | null) {
  return (value: T, context: z.RefinementCtx) => {
    const fault = check(value);
    if (fault) context.addIssue({ code: "custom", message: fault });
  };
}
