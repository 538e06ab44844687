import { createSubscriber } from "svelte/reactivity";
import type { EntityOf, EntityType } from "../client/index.js";
import {
  actsOf,
  type LiveSpace,
  partsOf,
  type SharedSpaceClient,
  type SpacefeedOptions,
  shareClient,
} from "../client/shared-client.js";

export type { LiveSpace, SpacefeedOptions };

/** A value, or what says it: `() => id` is read anew when `id` changes. */
export type MaybeGetter<T> = T | (() => T);

/** What is read in a template or an effect is live there. */
export interface Current<T> {
  readonly current: T;
}

/**
 * Everything of a space, live in the templates and effects that read it. All that name the same space and options share one
 * client. Do not destructure it: only the functions outlive that.
 *
 *     const hall = useSpaceData<string>("hall");   // {#each hall.utterances as message (message.id)}
 */
export function useSpaceData<Content = unknown>(
  spaceId: MaybeGetter<string>,
  options?: SpacefeedOptions,
): LiveSpace<Content> {
  const client = follow<Content>(spaceId, options);
  const space = actsOf(client);
  for (const name of Object.keys(partsOf(client().getSnapshot())) as "data"[]) {
    Object.defineProperty(space, name, { get: () => client().getSnapshot()[name], enumerable: true });
  }
  return space as LiveSpace<Content>;
}

/** The rows of a type that are in a space: of a tracked table sorted by `id`. */
export function useEntities<R = never, T extends EntityType = string>(
  spaceId: MaybeGetter<string>,
  type: T,
  options?: SpacefeedOptions,
): Current<readonly EntityOf<T, R>[]> {
  const client = follow(spaceId, options);
  return current(() => client().getEntities<R, T>(type));
}

/** One row of a type; undefined while it is not here. */
export function useEntity<R = never, T extends EntityType = string>(
  spaceId: MaybeGetter<string>,
  type: T,
  id: MaybeGetter<string>,
  options?: SpacefeedOptions,
): Current<EntityOf<T, R> | undefined> {
  const client = follow(spaceId, options);
  return current(() => client().getEntity<R, T>(type, read(id)));
}

/** The client of a space. Who reads it is told of changes: Svelte opens it with its first reader, and closes it with the last. */
function follow<Content>(spaceId: MaybeGetter<string>, options?: SpacefeedOptions) {
  let client: SharedSpaceClient<Content> | undefined;
  let track = () => {};
  return () => {
    const id = read(spaceId);
    if (client?.spaceId !== id) {
      client = shareClient<Content>({ ...options, spaceId: id });
      track = createSubscriber(client.subscribe);
    }
    track();
    return client;
  };
}

const read = (value: MaybeGetter<string>) => (typeof value === "function" ? value() : value);

const current = <T>(get: () => T): Current<T> => ({
  get current() {
    return get();
  },
});
