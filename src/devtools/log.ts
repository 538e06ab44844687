import { useSyncExternalStore } from "react";
import { type Observed, observed } from "../client/observed.js";
import type { StoreAction } from "../client/store.js";

/** Something that happened to a client. */
export interface Entry {
  /** Counts all that there were. */
  readonly n: number;
  readonly at: Date;
  readonly spaceId: string;
  /** It came from the server, was done here, or concerns the line between. */
  readonly way: "in" | "out" | "line";
  readonly what: string;
  readonly version?: number | null | undefined;
  readonly detail: unknown;
}

const KEPT = 100;
/** A text that grows 50 times a second is not shown 50 times a second. */
const PAUSE_MS = 100;
const listeners = new Set<() => void>();
let entries: readonly Entry[] = [];
let shown = entries;
let count = 0;
let isDue = false;

/** The last 100 things that happened, the newest first. The component renders again when a client does something. */
export function useLog(): readonly Entry[] {
  return useSyncExternalStore(
    listen,
    () => shown,
    () => shown,
  );
}

/** Nothing is noted while nobody listens. */
function listen(listener: () => void): () => void {
  listeners.add(listener);
  observed.tell = note;
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) observed.tell = undefined;
  };
}

function note(client: Observed, action?: StoreAction): void {
  const { spaceId } = client();
  const at = new Date();
  for (const said of action ? wordsFor(action) : []) {
    entries = [{ n: ++count, at, spaceId, ...said }, ...entries].slice(0, KEPT);
  }
  if (isDue) return;
  isDue = true;
  setTimeout(() => {
    isDue = false;
    shown = [...entries]; // another one, also when only a client has come or gone
    for (const listener of listeners) listener();
  }, PAUSE_MS);
}

type Words = Pick<Entry, "way" | "what" | "version" | "detail">;

function wordsFor(action: StoreAction): Words[] {
  switch (action.type) {
    case "group":
      return action.group.map((event) => ({
        way: "in",
        what: event.type,
        version: event.version,
        detail: event,
      }));
    case "state":
      return [{ way: "in", what: "state", version: action.state.version, detail: action.state }];
    case "older":
      return [{ way: "in", what: `${action.page.length} older messages`, detail: action.page }];
    case "stored":
      return [{ way: "in", what: "stored", version: action.version, detail: action.row }];
    case "mutate": {
      const { mutation } = action;
      return [{ way: "out", what: `${mutation.action} ${mutation.kind}`, detail: mutation }];
    }
    case "status":
      return [{ way: "line", what: action.mode, detail: action.fault }];
    case "refused":
      return [{ way: "line", what: "refused", detail: action.error }];
    case "delayed":
      return action.delay ? [{ way: "line", what: "a change waits", detail: action.delay }] : [];
    case "error":
      return action.error ? [{ way: "line", what: "error", detail: action.error }] : [];
    default:
      return [];
  }
}
