import type { SpaceClient, SpaceClientOptions, SpaceSnapshot } from "../client/index.js";
import { emptyStore, show } from "../client/store.js";
import { leaseClient, peekClient } from "./client-registry.js";

/** A client that components share. It closes by itself, when nobody subscribes and no change waits. */
export interface SharedSpaceClient<Content = unknown> extends Omit<SpaceClient<Content>, "close"> {
  /** What is known before the client is open, and on a server: nothing. */
  getServerSnapshot(this: void): SpaceSnapshot<Content>;
}

/**
 * The client of the registry that has this key, as an object that can be made while rendering: it opens the
 * client when somebody subscribes, or changes something.
 */
export function shareClient<Content = unknown>(
  key: string,
  options: SpaceClientOptions,
): SharedSpaceClient<Content> {
  const nothing = show(emptyStore(options.spaceId), null);
  const opened = () => peekClient(key);

  /** The client stays open until the answer is there, also when the component has gone by then. */
  function during<T>(work: (client: SpaceClient) => Promise<T>): Promise<T> {
    const { client, release } = leaseClient(key, options);
    const result = work(client);
    result.then(release, release);
    return result;
  }

  const shared: SharedSpaceClient = {
    spaceId: options.spaceId,
    subscribe: (listener) => {
      const { client, release } = leaseClient(key, options);
      const unsubscribe = client.subscribe(listener);
      return () => {
        unsubscribe();
        release();
      };
    },
    getSnapshot: () => opened()?.getSnapshot() ?? nothing,
    getServerSnapshot: () => nothing,
    getBeing: (id) => opened()?.getBeing(id),
    getIntention: (id) => opened()?.getIntention(id),
    refresh: () => during((client) => client.refresh()),
    loadOlder: () => during((client) => client.loadOlder()),
    createBeing: (fields) => during((client) => client.createBeing(fields)),
    updateBeing: (id, fields) => during((client) => client.updateBeing(id, fields)),
    deleteBeing: (id) => during((client) => client.deleteBeing(id)),
    createIntention: (fields) => during((client) => client.createIntention(fields)),
    updateIntention: (id, fields) => during((client) => client.updateIntention(id, fields)),
    deleteIntention: (id) => during((client) => client.deleteIntention(id)),
    dismissError: () => opened()?.dismissError(),
  };
  return shared as unknown as SharedSpaceClient<Content>;
}
