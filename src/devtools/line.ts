import { useSyncExternalStore } from "react";

/** What our clients ask a relay for. */
const OURS = /\/api\/(stream|sync|beings|intentions|entities)\b/;

let whole: typeof fetch | undefined;
const listeners = new Set<() => void>();

/** Whether the line of this page to its relays is cut. */
export function useIsCut(): boolean {
  return useSyncExternalStore(
    listen,
    () => whole !== undefined,
    () => false,
  );
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What is asked of a relay fails, and the clients are told what a browser tells them: the network is gone. */
export function cut(): void {
  if (whole) return;
  const through = globalThis.fetch;
  whole = through;
  globalThis.fetch = (...request) =>
    whole && OURS.test(request[0] instanceof Request ? request[0].url : String(request[0]))
      ? Promise.reject(new TypeError("the devtools have cut the line"))
      : through(...request);
  tell("offline");
}

/** As before. */
export function mend(): void {
  if (!whole) return;
  globalThis.fetch = whole;
  whole = undefined;
  tell("online");
}

function tell(event: "offline" | "online"): void {
  dispatchEvent(new Event(event));
  for (const listener of listeners) listener();
}
