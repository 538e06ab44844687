import type { Being, Intention } from "../protocol/messages.js";

/** The place of a message in its space: by time, and those of one instant by the number of their IDs. */
export type Position = Pick<Intention, "createdAt" | "messageId">;

/** Older messages first, as the database sorts them. Its times have one width: text order is time order. */
export function byPosition(a: Position, b: Position): number {
  return compare(a.createdAt, b.createdAt) || numberOf(a.messageId) - numberOf(b.messageId);
}

/** Older beings first, as the database sorts them. */
export function byAge(a: Being, b: Being): number {
  return compare(a.createdAt, b.createdAt) || compare(a.id, b.id);
}

/** The number in `msg_<n>`. */
function numberOf(messageId: string): number {
  return Number(messageId.slice(messageId.indexOf("_") + 1));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
