import type { SpaceStore, StoreAction } from "./store.js";

/** A client, as devtools see it: what it holds now. */
export type Observed = () => SpaceStore;

interface Onlooker {
  /** The clients that are open in this page. */
  readonly clients: Set<Observed>;
  /** Told what a client does, in its order; without an action: it has come or gone. Undefined where nobody looks. */
  tell?: ((client: Observed, action?: StoreAction) => void) | undefined;
}

/** What `spacefeed/devtools` look at. */
export const observed: Onlooker = { clients: new Set() };
