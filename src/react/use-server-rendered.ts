import { useState, useSyncExternalStore } from "react";

const never = () => () => {};

/** Whether a server has rendered this component, for the page to take over. */
export function useServerRendered(): boolean {
  const isRenderedSo = useSyncExternalStore(
    never,
    () => false,
    () => true,
  );
  return useState(isRenderedSo)[0];
}
