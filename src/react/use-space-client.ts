import { useEffect, useMemo, useSyncExternalStore } from "react";
import type { SpaceSnapshot } from "../client/index.js";
import {
  keyOf,
  type SharedSpaceClient,
  type SpacefeedOptions,
  shareClient,
} from "../client/shared-client.js";
import { useInitialState } from "./hydrate-space.js";
import { useDefaults } from "./provider.js";

/**
 * What one hook has otherwise than the provider. With another `url` the provider's headers are not sent, and what a server
 * has read is not shown: these are of its own relay.
 */
export interface SpaceOptions extends Pick<SpacefeedOptions, "url" | "persist" | "tabs"> {
  headers?: Record<string, string>;
}

/**
 * The client of a space: one for all components that name the same space and options. It is open while a
 * component uses it.
 *
 *     const { createIntention } = useSpaceClient("lobby");
 */
export function useSpaceClient<Content = unknown>(
  spaceId: string,
  options?: SpaceOptions,
): SharedSpaceClient<Content> {
  const client = useSharedClient<Content>(spaceId, options);
  useEffect(() => client.subscribe(() => {}), [client]);
  return client;
}

/** As `useSpaceClient`, but does not keep the client open: for those that subscribe anyway. */
export function useSharedClient<Content = unknown>(
  spaceId: string,
  options: SpaceOptions = {},
): SharedSpaceClient<Content> {
  const { headers, ...defaults } = useDefaults();
  const initialState = useInitialState(spaceId);
  const isElsewhere = options.url !== undefined && options.url !== defaults.url;
  const asked = {
    ...defaults,
    ...(headers && !isElsewhere && { headers }),
    ...(!isElsewhere && { initialState }),
    ...options,
    spaceId,
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key is what the options say
  return useMemo(() => shareClient<Content>(asked), [keyOf(asked)]);
}

/**
 * A part of the snapshot. The component renders again when that part is another object or value. A server selects from
 * nothing else: what only the page knows is not in what it has rendered.
 */
export function useSelected<T, Content>(
  client: SharedSpaceClient<Content>,
  select: (snapshot: SpaceSnapshot<Content>) => T,
  selectOnServer = select,
): T {
  return useSyncExternalStore(
    client.subscribe,
    () => select(client.getSnapshot()),
    () => selectOnServer(client.getServerSnapshot()),
  );
}
