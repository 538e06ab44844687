import { SpacefeedError } from "../protocol/errors.js";
import { CLOSED, type SpaceClient } from "./client.js";
import type { Observed } from "./observed.js";

/** Nothing comes of a space that is not there for us. */
const GONE = ["not_found", "forbidden"];

/** Resolves when the client's own state holds a version. */
export function barrier(
  store: Observed,
  subscribe: SpaceClient["subscribe"],
  version: number,
  closing: AbortSignal,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = new AbortController();
    const look = () => {
      const { replica, fault } = store();
      const isThere = replica !== null && replica.version >= version;
      if (isThere) resolve();
      else if (closing.aborted) reject(new SpacefeedError("unavailable", `no version ${version}: ${CLOSED}`));
      else if (signal?.aborted) reject(signal.reason);
      else if (fault && GONE.includes(fault.code)) reject(new SpacefeedError(fault.code, fault.message));
      else return;
      unsubscribe();
      done.abort();
    };
    const unsubscribe = subscribe(look);
    for (const end of [closing, signal]) end?.addEventListener("abort", look, { signal: done.signal });
    look();
  });
}
