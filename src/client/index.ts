export { type ErrorCode, SpacefeedError } from "../protocol/errors.js";
export type { Being, Intention } from "../protocol/messages.js";
export { beingCache, getCachedBeing, getCachedIntention, intentionCache } from "./cache.js";
export {
  createSpaceClient,
  type SpaceClient,
  type SpaceClientOptions,
} from "./client.js";
export type { BeingFields, IntentionFields } from "./mutation.js";
export type { Mode, SpaceData, SpaceSnapshot } from "./snapshot.js";
export type { Trouble } from "./trouble.js";
