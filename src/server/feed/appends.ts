import { isDeepStrictEqual } from "node:util";

/** Rows that are remembered for a space, and the longest event that is looked into, in characters. */
const ROWS = 32;
const MOST_CHARACTERS = 256 * 1024;

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
type Row = { [name: string]: Json } & { id: string };
interface Event {
  type: string;
  data?: Row;
  [name: string]: unknown;
}
/** Where a text grew, how long it was, in UTF-16 code units, and what came to it. */
interface Append {
  path: (string | number)[];
  at: number;
  text: string;
}

/** What was sent of the rows of a space last, from which it is told that a row has only grown. */
export class Appends {
  #version: number | undefined;
  readonly #rows = new Map<string, Row>();

  /**
   * The events of a group that builds on version `since`, in which an update that appends to a text says just that; null
   * where there is none. It has to be told of each group, or forgets what it knows.
   */
  shorten(events: readonly string[], since: number, version: number): string[] | null {
    if (since !== this.#version) this.#rows.clear();
    this.#version = version;
    let isShorter = false;
    const shortened = events.map((text) => {
      const event = text.length <= MOST_CHARACTERS ? (JSON.parse(text) as Event) : undefined;
      const append = event && this.#appendOf(event);
      isShorter ||= append !== undefined;
      return append ?? text;
    });
    return isShorter ? shortened : null;
  }

  #appendOf({ data, ...event }: Event): string | undefined {
    const of = /^(.*)-(created|updated)$/.exec(event.type);
    if (!data || !of) return;
    const key = `${of[1]} ${data.id}`;
    const before = this.#rows.get(key);
    this.#rows.delete(key);
    this.#rows.set(key, data);
    for (const oldest of this.#rows.keys()) if (this.#rows.size > ROWS) this.#rows.delete(oldest);
    const change = before && of[2] === "updated" ? compare(before, data) : undefined;
    if (!change) return;
    const { append, others } = change;
    const { prev, cursor, ...head } = event;
    return JSON.stringify({
      ...head,
      type: `${of[1]}-appended`,
      id: data.id,
      ...append,
      data: others,
      prev,
      cursor,
    });
  }
}

/** The one text that grew, and the fields beside it that have another value; undefined where it is more than that. */
function compare(before: Row, now: Row): { append: Append; others: Record<string, Json> } | undefined {
  const names = Object.keys(now);
  if (names.length !== Object.keys(before).length) return;
  const others: Record<string, Json> = {};
  let append: Append | undefined;
  for (const name of names) {
    const [old, value] = [before[name], now[name] as Json];
    if (isDeepStrictEqual(old, value)) continue;
    const grown = growth(old, value, [name]);
    if (grown && !append) append = grown;
    // A number would lose digits here.
    else if (typeof value === "string" || typeof value === "boolean" || value === null) others[name] = value;
    else return;
  }
  return append && { append, others };
}

/** How one text within a value grew, and nothing else of it changed. */
function growth(old: Json | undefined, now: Json, path: (string | number)[]): Append | undefined {
  if (typeof old === "string" && typeof now === "string") {
    return now.startsWith(old) ? { path, at: old.length, text: now.slice(old.length) } : undefined;
  }
  if (typeof old !== "object" || typeof now !== "object" || old === null || now === null) return;
  const names = Object.keys(now);
  if (Array.isArray(old) !== Array.isArray(now) || names.length !== Object.keys(old).length) return;
  const at = (value: object, name: string) => (value as Record<string, Json>)[name];
  const changed = names.filter((name) => !isDeepStrictEqual(at(old, name), at(now, name)));
  const [name] = changed;
  if (changed.length !== 1 || name === undefined) return;
  return growth(at(old, name), at(now, name) as Json, [...path, Array.isArray(now) ? Number(name) : name]);
}
