import type { Being, Entity, Intention } from "../protocol/messages.js";

/** What every row has. */
export type Row = Pick<Entity, "id">;

/** The rows of a space, by their type: being, intention, and what tracked tables are called. */
export interface Lists {
  readonly being: readonly Being[];
  readonly intention: readonly Intention[];
  readonly [type: string]: readonly Row[];
}

type ByType<T> = Readonly<Record<string, readonly T[]>>;

export const NO_ROWS: Lists = { being: [], intention: [] };

/** Whether a type is of ours, and not a tracked table: such a row says where it is, and has a place of its own. */
export function isOurs(type: string): type is "being" | "intention" {
  return Object.hasOwn(NO_ROWS, type);
}

/** The rows of a type, which may be called as something that every object has, such as "constructor". */
export function rowsOf<T extends Row>(lists: ByType<T>, type: string): readonly T[] {
  return (Object.hasOwn(lists, type) && lists[type]) || (NO_ROWS.being as readonly never[]);
}

// Made once for each list, when somebody asks.
const indexes = new WeakMap<readonly Row[], ReadonlyMap<string, Row>>();

export function rowOf(lists: ByType<Row>, type: string, id: string): Row | undefined {
  const list = rowsOf(lists, type);
  const index = indexes.get(list) ?? new Map(list.map((row) => [row.id, row]));
  indexes.set(list, index);
  return index.get(id);
}

/** Other rows in the place of those of each type. */
export function mapLists(lists: Lists, other: (rows: readonly Row[], type: string) => readonly Row[]): Lists {
  return Object.fromEntries(Object.entries(lists).map(([type, rows]) => [type, other(rows, type)])) as Lists;
}
