"use client";

export type { SharedSpaceClient, SpacefeedOptions } from "../client/shared-client.js";
export { BeingPresence, type BeingPresenceProps } from "./being-presence.js";
export { Chat, type ChatProps } from "./chat.js";
export { CHAT_LABELS, type ChatLabels } from "./chat-labels.js";
export { HydrateSpace, type HydrateSpaceProps } from "./hydrate-space.js";
export { InlineBeingName, type InlineBeingNameProps } from "./inline-being-name.js";
export { SpacefeedProvider, type SpacefeedProviderProps } from "./provider.js";
export { useBeing, useEntities, useEntity, useIntention } from "./use-entity.js";
export { type SpaceOptions, useSpaceClient } from "./use-space-client.js";
export { type UseSpaceDataResult, useSpaceData } from "./use-space-data.js";
