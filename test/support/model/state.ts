import type { z } from "zod";
import type { Being, Intention, spaceSync, syncEvent } from "../../../src/protocol/messages.js";

export type Space = z.infer<typeof spaceSync>;
export type Change = Exclude<z.infer<typeof syncEvent>, Space>;

/** What a client knows of a space, and the cursor that it stands at. */
export interface State {
  cursor: string | undefined;
  beings: Map<string, Being>;
  intentions: Map<string, Intention>;
  /** The oldest message of a snapshot that left older ones out; null when it left none out. */
  horizon: Intention | null;
}

/** The state of a client that has just come. */
export const nothing = (): State => ({
  cursor: undefined,
  beings: new Map(),
  intentions: new Map(),
  horizon: null,
});

/** Moves a state on by one event. */
export function apply({ beings, intentions }: State, event: Change): void {
  if (event.type === "being-deleted") beings.delete(event.id);
  else if (event.type === "intention-deleted") intentions.delete(event.id);
  // Also an update may be of a row that is not known: it was seen to go before that was recorded, and is back.
  else if (event.type === "being-created" || event.type === "being-updated") {
    beings.set(event.data.id, event.data);
  } else {
    const { id, messageId } = event.data;
    if (messageId !== event.messageId) fail(`${messageId} in an event of ${event.messageId}`);
    intentions.set(id, event.data);
  }
}

/** Whether an event is no step back for who has its version: what the next version brings may be in it (P7). */
export function isNoOlder({ beings, intentions }: State, event: Change): boolean {
  if ("id" in event) return true;
  const known = (event.type.startsWith("being") ? beings : intentions).get(event.data.id);
  return !known || event.data.modifiedAt >= known.modifiedAt;
}

/** The order of sync._list('intention', ). */
export function inOrder(a: Intention, b: Intention): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  return Number(a.messageId.slice(4)) - Number(b.messageId.slice(4));
}

/** Throws the fault. */
export function fail(what: string): never {
  throw broken(what);
}

/** The fault itself. */
export function broken(what: string): Error {
  return new Error(`a promise was broken: ${what}`);
}
