import type { Being, Entity, Intention } from "../protocol/messages.js";

/** What every row has. */
export type Row = Pick<Entity, "id">;

/** The rows of a space, by their type: being, intention, and what tracked tables are called. */
export interface Lists {
  readonly being: readonly Being[];
  readonly intention: readonly Intention[];
  readonly [type: string]: readonly Row[];
}

export const NO_ROWS: Lists = { being: [], intention: [] };

/** The rows of a type, which may be called as something that every object has, such as "constructor". */
export function rowsOf<T extends Row>(
  lists: Readonly<Record<string, readonly T[]>>,
  type: string,
): readonly T[] {
  return (Object.hasOwn(lists, type) && lists[type]) || (NO_ROWS.being as readonly never[]);
}

/** Other rows in the place of those of each type. */
export function mapLists(lists: Lists, other: (rows: readonly Row[], type: string) => readonly Row[]): Lists {
  const entries = Object.entries(lists).map(([type, rows]) => [type, other(rows, type)]);
  return Object.fromEntries(entries) as Lists;
}
