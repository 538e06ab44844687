import { useMemo } from "react";
import type { SpaceSnapshot } from "../client/index.js";
import type { SharedSpaceClient } from "./shared-client.js";
import { type SpaceOptions, useSelected, useSharedClient } from "./use-space-client.js";

/** A space as it is now, and what can be done in it. The functions stay the same from render to render. */
export interface UseSpaceDataResult<Content = unknown>
  extends Omit<SpaceSnapshot<Content>, "spaceId" | "intentionIds">,
    Omit<SharedSpaceClient<Content>, "spaceId" | "subscribe" | `get${string}`> {}

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
  return useMemo(() => {
    const { spaceId, intentionIds, ...shown } = snapshot;
    const acts = Object.entries(client).filter(([name]) => !/^(spaceId|subscribe|get.*)$/.test(name));
    return { ...shown, ...Object.fromEntries(acts) } as UseSpaceDataResult<Content>;
  }, [snapshot, client]);
}

const whole = <Content>(snapshot: SpaceSnapshot<Content>) => snapshot;
