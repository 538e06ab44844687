import { createContext, type ReactNode, useContext, useMemo } from "react";
import type { SpaceState } from "../client/index.js";

export interface HydrateSpaceProps {
  /** What `readSpace` has read; null or undefined where that did not work: then the page waits for the relay. */
  state: SpaceState | null | undefined;
  children?: ReactNode;
}

const States = createContext<Readonly<Record<string, SpaceState>>>({});

/** What a server component has read of a space; undefined where none has. */
export function useInitialState(spaceId: string): SpaceState | undefined {
  const states = useContext(States);
  return Object.hasOwn(states, spaceId) ? states[spaceId] : undefined;
}

/**
 * Hands what a server component has read of a space to the hooks and components below: they render it on the server and
 * first in the page, and go on from there. For several spaces, one in another.
 *
 *     <HydrateSpace state={await readSpace({ url, spaceId: "lobby" })}>
 */
export function HydrateSpace({ state, children }: HydrateSpaceProps) {
  const outer = useContext(States);
  const states = useMemo(() => (state ? { ...outer, [state.spaceId]: state } : outer), [outer, state]);
  return <States.Provider value={states}>{children}</States.Provider>;
}
