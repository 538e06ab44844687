import type { Being, Intention } from "../protocol/messages.js";
import type { Row } from "./lists.js";

/** The place of a message in its space: by time, and in one instant by its ID, of which the shorter is the earlier. */
export type Position = Pick<Intention, "createdAt" | "messageId">;

/** Older messages first, as the database sorts them. Its times have one width: text order is time order. */
export function byPosition(a: Position, b: Position): number {
  const [one, other] = [a.messageId, b.messageId];
  return compare(a.createdAt, b.createdAt) || lengthOf(one) - lengthOf(other) || compare(one, other);
}

/** Older beings first, as the database sorts them. */
function byAge(a: Being, b: Being): number {
  return compare(a.createdAt, b.createdAt) || compare(a.id, b.id);
}

const ORDERS = new Map<string, (a: never, b: never) => number>([
  ["being", byAge],
  ["intention", byPosition],
]);

/** How the rows of a type are sorted: those of a tracked table by their IDs. */
export function orderOf(type: string): (a: Row, b: Row) => number {
  return (ORDERS.get(type) as ReturnType<typeof orderOf>) ?? ((a, b) => compare(a.id, b.id));
}

/** As they are where the server, which knows their places, has sorted them: beings and messages. */
export function sorted(type: string, rows: Iterable<Row>): readonly Row[] {
  return ORDERS.has(type) ? [...rows] : [...rows].sort(orderOf(type));
}

/** In characters, as the database counts. */
const lengthOf = (text: string) => [...text].length;

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
