import { useSyncExternalStore } from "react";
import { type DemoSpace, SPACES } from "./spaces.js";

/** The space that the address names (`#workshop`), so that a link, back and forward lead there. */
export function useSpaceInHash(): DemoSpace {
  const hash = useSyncExternalStore(onHashChange, () => location.hash);
  return SPACES.find(({ id }) => `#${id}` === hash) ?? SPACES[0];
}

function onHashChange(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}
