export { type ErrorCode, SpacefeedError } from "../protocol/errors.js";
export type { Being, Entity, Intention } from "../protocol/messages.js";
export { beingCache, getCachedBeing, getCachedIntention, intentionCache } from "./cache.js";
export type { SpaceClient, SpaceClientOptions } from "./client.js";
// With a star: what users declare of a re-export by name is not merged with it.
export * from "./entities.js";
export type { BeingFields, IntentionFields } from "./mutation.js";
export type { Problem } from "./problem.js";
export type { Mode, SpaceData, SpaceSnapshot } from "./snapshot.js";
export { createSpaceClient } from "./space.js";
