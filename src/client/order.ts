import type { Being, Intention } from "../protocol/messages.js";

/** The place of a message in its space: by time, and those of one instant by their IDs, of which a shorter one is older: msg_9, msg_10. */
export type Position = Pick<Intention, "createdAt" | "messageId">;

/** Older messages first, as the database sorts them. Its times have one width: text order is time order. */
export function byPosition(a: Position, b: Position): number {
  return (
    compare(a.createdAt, b.createdAt) ||
    a.messageId.length - b.messageId.length ||
    compare(a.messageId, b.messageId)
  );
}

/** Older beings first, as the database sorts them. */
export function byAge(a: Being, b: Being): number {
  return compare(a.createdAt, b.createdAt) || compare(a.id, b.id);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
