import { useSyncExternalStore } from "react";

/** What our clients ask a relay for. */
const OURS = /\/api\/(stream|sync|beings|intentions|entities)\b/;

/** While the line is cut: what is asked through, and what was before. */
let line: { fetch: typeof fetch; whole: typeof fetch } | undefined;
const listeners = new Set<() => void>();

/** Whether the line of this page to its relays is cut. */
export function useIsCut(): boolean {
  return useSyncExternalStore(
    listen,
    () => line !== undefined,
    () => false,
  );
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What is asked of a relay fails, and the clients are told what a browser tells them: the network is gone. */
export function cut(): void {
  if (line) return;
  const whole = globalThis.fetch;
  const fetch: typeof whole = (...request) =>
    line && OURS.test(request[0] instanceof Request ? request[0].url : String(request[0]))
      ? Promise.reject(new TypeError("the devtools have cut the line"))
      : whole(...request);
  line = { fetch, whole };
  globalThis.fetch = fetch;
  tell("offline");
}

/** As before. */
export function mend(): void {
  if (!line) return;
  // What somebody has put around it meanwhile stays, and goes through.
  if (globalThis.fetch === line.fetch) globalThis.fetch = line.whole;
  line = undefined;
  tell("online");
}

function tell(event: "offline" | "online"): void {
  dispatchEvent(new Event(event));
  for (const listener of listeners) listener();
}
