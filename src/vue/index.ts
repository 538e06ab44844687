import { type ComputedRef, computed, type MaybeRefOrGetter, shallowRef, toValue, watch } from "vue";
import type { EntityOf, EntityType } from "../client/index.js";
import { rowOf, rowsOf } from "../client/lists.js";
import {
  actsOf,
  partsOf,
  type SpaceActs,
  type SpacefeedOptions,
  shareClient,
} from "../client/shared-client.js";

export type { SpacefeedOptions };

type Parts<Content> = ReturnType<typeof partsOf<Content>>;

/** A space as it is now, a ref for each part of it, and what can be done in it. */
export type UseSpaceDataReturn<Content = unknown> = SpaceActs<Content> & {
  readonly [Part in keyof Parts<Content>]: ComputedRef<Parts<Content>[Part]>;
};

/**
 * Everything of a space, live until the scope ends. All that name the same space and options share one client.
 *
 *     const { utterances, mode, error, createIntention } = useSpaceData<string>("hall");
 */
export function useSpaceData<Content = unknown>(
  spaceId: MaybeRefOrGetter<string>,
  options?: SpacefeedOptions,
): UseSpaceDataReturn<Content> {
  const { client, snapshot } = follow<Content>(spaceId, options);
  const names = Object.keys(partsOf(snapshot.value)) as (keyof Parts<Content>)[];
  const parts = names.map((name) => [name, computed(() => snapshot.value[name])]);
  return { ...Object.fromEntries(parts), ...actsOf(() => client.value) };
}

/** The rows of a type that are in a space: of a tracked table sorted by `id`. A row that changes is another object. */
export function useEntities<R = never, T extends EntityType = string>(
  spaceId: MaybeRefOrGetter<string>,
  type: T,
  options?: SpacefeedOptions,
): ComputedRef<readonly EntityOf<T, R>[]> {
  const { snapshot } = follow(spaceId, options);
  return computed(() => rowsOf(snapshot.value.entities, type) as readonly EntityOf<T, R>[]);
}

/** One row of a type; undefined while it is not here. */
export function useEntity<R = never, T extends EntityType = string>(
  spaceId: MaybeRefOrGetter<string>,
  type: T,
  id: MaybeRefOrGetter<string>,
  options?: SpacefeedOptions,
): ComputedRef<EntityOf<T, R> | undefined> {
  const { snapshot } = follow(spaceId, options);
  return computed(() => rowOf(snapshot.value.entities, type, toValue(id)) as EntityOf<T, R> | undefined);
}

/** The client of a space, and its newest snapshot. On a server nothing is opened. */
function follow<Content>(spaceId: MaybeRefOrGetter<string>, options?: SpacefeedOptions) {
  const client = computed(() => shareClient<Content>({ ...options, spaceId: toValue(spaceId) }));
  const snapshot = shallowRef(client.value.getSnapshot());
  if (typeof window === "undefined") return { client, snapshot };
  watch(
    client,
    ({ subscribe, getSnapshot }, _, onCleanup) => {
      const look = () => {
        snapshot.value = getSnapshot();
      };
      onCleanup(subscribe(look));
      look();
    },
    { immediate: true, flush: "sync" },
  );
  return { client, snapshot };
}
