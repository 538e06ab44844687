export { type ErrorCode, SpacefeedError } from "../protocol/errors.js";
export type { Being, Intention } from "../protocol/messages.js";
export { beingCache, getCachedBeing, getCachedIntention, intentionCache } from "./cache.js";
export type { SpaceClient, SpaceClientOptions } from "./client.js";
export type { BeingFields, IntentionFields } from "./mutation.js";
export type { Problem } from "./problem.js";
export type { Mode, SpaceData, SpaceSnapshot } from "./snapshot.js";
export { createSpaceClient } from "./space.js";
