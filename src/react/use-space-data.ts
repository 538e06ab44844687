import { useMemo } from "react";
import type { SpaceClient, SpaceSnapshot } from "../client/index.js";
import { type SpaceOptions, useSelected, useSharedClient } from "./use-space-client.js";

type Actions<Content> = Pick<
  SpaceClient<Content>,
  | "refresh"
  | "loadOlder"
  | "dismissError"
  | "createBeing"
  | "updateBeing"
  | "deleteBeing"
  | "createIntention"
  | "updateIntention"
  | "deleteIntention"
>;

/** A space as it is now, and what can be done in it. The functions stay the same from render to render. */
export interface UseSpaceDataResult<Content = unknown>
  extends Omit<SpaceSnapshot<Content>, "spaceId" | "intentionIds">,
    Actions<Content> {}

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
  return useMemo(
    () => ({
      data: snapshot.data,
      beings: snapshot.beings,
      intentions: snapshot.intentions,
      connected: snapshot.connected,
      error: snapshot.error,
      fault: snapshot.fault,
      onlineBeings: snapshot.onlineBeings,
      utterances: snapshot.utterances,
      mode: snapshot.mode,
      hasMore: snapshot.hasMore,
      pendingIds: snapshot.pendingIds,
      refresh: client.refresh,
      loadOlder: client.loadOlder,
      dismissError: client.dismissError,
      createBeing: client.createBeing,
      updateBeing: client.updateBeing,
      deleteBeing: client.deleteBeing,
      createIntention: client.createIntention,
      updateIntention: client.updateIntention,
      deleteIntention: client.deleteIntention,
    }),
    [snapshot, client],
  );
}

function whole<Content>(snapshot: SpaceSnapshot<Content>) {
  return snapshot;
}
