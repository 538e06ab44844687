import { type Accessor, createEffect, createMemo, createSignal, on, onCleanup } from "solid-js";
import { createStore, reconcile, unwrap } from "solid-js/store";
import type { EntityOf, EntityType } from "../client/index.js";
import { type Row, rowOf, rowsOf } from "../client/lists.js";
import {
  actsOf,
  type LiveSpace,
  partsOf,
  type SpacefeedOptions,
  shareClient,
} from "../client/shared-client.js";

export type { LiveSpace, SpacefeedOptions };

type MaybeAccessor<T> = T | Accessor<T>;

/**
 * Everything of a space, live until its owner is disposed of. All that name the same space and options share one client. A
 * row that changes is another object; `useEntities` changes the fields. Do not destructure it: only the functions outlive that.
 *
 *     const hall = useSpaceData<string>("hall");   // <For each={hall.utterances}>
 */
export function useSpaceData<Content = unknown>(
  spaceId: MaybeAccessor<string>,
  options?: SpacefeedOptions,
): LiveSpace<Content> {
  const { client, snapshot } = follow<Content>(spaceId, options);
  const space = actsOf(client);
  for (const name of Object.keys(partsOf(snapshot())) as "data"[]) {
    Object.defineProperty(space, name, { get: createMemo(() => snapshot()[name]), enumerable: true });
  }
  return space as LiveSpace<Content>;
}

/** The rows of a type that are in a space, as a store: of a tracked table sorted by `id`. */
export function useEntities<R = never, T extends EntityType = string>(
  spaceId: MaybeAccessor<string>,
  type: T,
  options?: SpacefeedOptions,
): readonly EntityOf<T, R>[] {
  const { snapshot } = follow(spaceId, options);
  const rows = createMemo(() => rowsOf<Row>(snapshot().entities, type));
  const [store, setStore] = createStore<Row[]>([]);
  // `reconcile` writes into what the store has: that is never one of the client's own rows, which are immutable.
  const show = (now: readonly Row[], before: readonly Row[] = []) => {
    const copies = new Map(before.map((row, index) => [row, unwrap(store)[index] as Row]));
    setStore(
      reconcile(
        now.map((row) => copies.get(row) ?? structuredClone(row)),
        { key: "id" },
      ),
    );
  };
  createEffect(on(rows, show));
  return store as readonly unknown[] as readonly EntityOf<T, R>[];
}

/** One row of a type; undefined while it is not here. */
export function useEntity<R = never, T extends EntityType = string>(
  spaceId: MaybeAccessor<string>,
  type: T,
  id: MaybeAccessor<string>,
  options?: SpacefeedOptions,
): Accessor<EntityOf<T, R> | undefined> {
  const { snapshot } = follow(spaceId, options);
  return createMemo(() => rowOf(snapshot().entities, type, read(id)) as EntityOf<T, R> | undefined);
}

/** The client of a space, and its newest snapshot. Effects do not run on a server: nothing is opened there. */
function follow<Content>(spaceId: MaybeAccessor<string>, options?: SpacefeedOptions) {
  const client = createMemo(() => shareClient<Content>({ ...options, spaceId: read(spaceId) }));
  const [changed, change] = createSignal(undefined, { equals: false });
  const snapshot = createMemo(() => {
    changed();
    return client().getSnapshot();
  });
  createEffect(
    on(client, ({ subscribe }) => {
      onCleanup(subscribe(change));
      change();
    }),
  );
  return { client, snapshot };
}

const read = (value: MaybeAccessor<string>) => (typeof value === "function" ? value() : value);
