import { useSyncExternalStore } from "react";
import type { Being, Intention } from "../client/index.js";
import { type SpaceOptions, useSharedClient } from "./use-space-client.js";

/** One being of a space; undefined while it is not here. The component renders again when this being changes. */
export function useBeing(spaceId: string, id: string, options?: SpaceOptions): Being | undefined {
  const client = useSharedClient(spaceId, options);
  return useSyncExternalStore(client.subscribe, () => client.getBeing(id), nothing);
}

/**
 * One message of a space; undefined while it is not here, or not loaded. The component renders again when
 * this message changes.
 */
export function useIntention<Content = unknown>(
  spaceId: string,
  id: string,
  options?: SpaceOptions,
): Intention<Content> | undefined {
  const client = useSharedClient<Content>(spaceId, options);
  return useSyncExternalStore(client.subscribe, () => client.getIntention(id), nothing);
}

const nothing = () => undefined;
