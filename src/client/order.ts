import type { Being, Intention } from "../protocol/messages.js";
import { isOurs, type Row } from "./lists.js";

/** The place of a message in its space: by time, and in one instant by its name, of which the shorter comes first. */
export type Position = Pick<Intention, "createdAt" | "messageId">;

/** Older messages first, as the database sorts them. Its times have one width: text order is time order. */
export function byPosition(a: Position, b: Position): number {
  const byLength = () => [...a.messageId].length - [...b.messageId].length;
  return compare(a.createdAt, b.createdAt) || byLength() || compare(a.messageId, b.messageId);
}

/** Older beings first, as the database sorts them. */
function byAge(a: Being, b: Being): number {
  return compare(a.createdAt, b.createdAt) || compare(a.id, b.id);
}

const byId = (a: Row, b: Row) => compare(a.id, b.id);

/** How the rows of a type are sorted. */
export function orderOf(type: string): (a: Row, b: Row) => number {
  return isOurs(type) ? ({ being: byAge, intention: byPosition }[type] as typeof byId) : byId;
}

/** Beings and messages as they are: the server knows their places. */
export function sorted(type: string, rows: Iterable<Row>): readonly Row[] {
  return isOurs(type) ? [...rows] : [...rows].sort(byId);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
