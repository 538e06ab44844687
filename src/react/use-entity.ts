import type { Being, EntityOf, EntityType, Intention } from "../client/index.js";
import { rowOf, rowsOf } from "../client/lists.js";
import { type SpaceOptions, useSelected, useSharedClient } from "./use-space-client.js";

/**
 * The rows of a tracked table that are in a space, sorted by `id`. The component renders again when one of them changes.
 * What they have is declared (see `Entities`), or said: `useEntities<Task>("apollo", "task")`.
 */
export function useEntities<R = never, T extends EntityType = string>(
  spaceId: string,
  type: T,
  options?: SpaceOptions,
): readonly EntityOf<T, R>[] {
  const rows = useSelected(useSharedClient(spaceId, options), ({ entities }) => rowsOf(entities, type));
  return rows as readonly EntityOf<T, R>[];
}

/** One row of a tracked table; undefined while it is not here. The component renders again when this row changes. */
export function useEntity<R = never, T extends EntityType = string>(
  spaceId: string,
  type: T,
  id: string,
  options?: SpaceOptions,
): EntityOf<T, R> | undefined {
  const row = useSelected(useSharedClient(spaceId, options), ({ entities }) => rowOf(entities, type, id));
  return row as EntityOf<T, R> | undefined;
}

/** One being of a space; undefined while it is not here. */
export function useBeing(spaceId: string, id: string, options?: SpaceOptions): Being | undefined {
  return useEntity(spaceId, "being", id, options);
}

/** One message of a space; undefined while it is not here, or not loaded. */
export function useIntention<Content = unknown>(
  spaceId: string,
  id: string,
  options?: SpaceOptions,
): Intention<Content> | undefined {
  return useEntity<Intention<Content>>(spaceId, "intention", id, options);
}
