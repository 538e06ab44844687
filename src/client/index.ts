export { type ErrorCode, SpacefeedError } from "../protocol/errors.js";
export type { Being, Entity, Intention, SpaceState } from "../protocol/messages.js";
export { beingCache, getCachedBeing, getCachedIntention, intentionCache } from "./cache.js";
export type { AppState, SpaceClient, SpaceClientOptions } from "./client.js";
// With a star: what users declare of a re-export by name is not merged with it.
export * from "./entities.js";
export type { BeingFields, IntentionFields } from "./mutation.js";
export type { Problem } from "./problem.js";
export { readSpace } from "./read-space.js";
export { defineSchemas, type RowProblem, type Schemas, type StandardSchema } from "./schema.js";
export type { Mode, SpaceData, SpaceSnapshot } from "./snapshot.js";
export { createSpaceClient } from "./space.js";
export { type KeyValueStorage, persistIn } from "./storage.js";
