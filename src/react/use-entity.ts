import { useSyncExternalStore } from "react";
import type { Being, EntityOf, EntityType, Intention } from "../client/index.js";
import { type SpaceOptions, useSharedClient } from "./use-space-client.js";

/**
 * The rows of a tracked table that are in a space, sorted by `id`. The component renders again when one of them changes.
 * What they have is declared (see `Entities`), or said: `useEntities<Task>("apollo", "task")`.
 */
export function useEntities<T = never, Type extends EntityType = EntityType>(
  spaceId: string,
  type: Type,
  options?: SpaceOptions,
): readonly EntityOf<Type, T>[] {
  const client = useSharedClient(spaceId, options);
  return useSyncExternalStore(client.subscribe, () => client.getEntities<T, Type>(type), none);
}

/** One row of a tracked table; undefined while it is not here. The component renders again when this row changes. */
export function useEntity<T = never, Type extends EntityType = EntityType>(
  spaceId: string,
  type: Type,
  id: string,
  options?: SpaceOptions,
): EntityOf<Type, T> | undefined {
  const client = useSharedClient(spaceId, options);
  return useSyncExternalStore(client.subscribe, () => client.getEntity<T, Type>(type, id), nothing);
}

/** As {@link useEntity}, of a being. */
export function useBeing(spaceId: string, id: string, options?: SpaceOptions): Being | undefined {
  return useEntity(spaceId, "being", id, options);
}

/** As {@link useEntity}, of a message; undefined also while it is not loaded. */
export function useIntention<Content = unknown>(
  spaceId: string,
  id: string,
  options?: SpaceOptions,
): Intention<Content> | undefined {
  return useEntity<Intention<Content>>(spaceId, "intention", id, options);
}

const nothing = () => undefined;
const NONE: readonly never[] = [];
const none = () => NONE;
