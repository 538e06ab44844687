import { useMemo } from "react";
import type { SpaceSnapshot } from "../client/index.js";
import { actsOf, type LiveSpace, partsOf } from "../client/shared-client.js";
import { type SpaceOptions, useSelected, useSharedClient } from "./use-space-client.js";

/** A space as it is now, and what can be done in it. The functions stay the same from render to render. */
export interface UseSpaceDataResult<Content = unknown> extends LiveSpace<Content> {}

/**
 * Everything of a space, live. The component renders again at each change in it: for one being or message
 * there are `useBeing` and `useIntention`.
 *
 *     const { beings, utterances, connected, error, createIntention } = useSpaceData<string>("lobby");
 */
export function useSpaceData<Content = unknown>(
  spaceId: string,
  options?: SpaceOptions,
): UseSpaceDataResult<Content> {
  const client = useSharedClient<Content>(spaceId, options);
  const snapshot = useSelected(client, whole<Content>);
  const acts = useMemo(() => actsOf(() => client), [client]);
  return useMemo(() => ({ ...partsOf(snapshot), ...acts }), [snapshot, acts]);
}

const whole = <Content>(snapshot: SpaceSnapshot<Content>) => snapshot;
