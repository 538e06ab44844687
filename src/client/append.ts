import type { AppendEvent } from "../protocol/messages.js";
import type { Row } from "./lists.js";

/**
 * The row after a text of it has grown; null where that does not fit, so that something was missed. A text that is longer
 * already has some of it from a snapshot, which may be ahead (P7).
 */
export function appendTo(row: Row | undefined, { path, at, text, data }: AppendEvent): Row | null {
  if (!row) return null;
  const grown = grow(row, path, at, text) as Row | null;
  return grown && { ...grown, ...data };
}

function grow(value: unknown, [name, ...rest]: AppendEvent["path"], at: number, text: string): unknown {
  if (name === undefined) {
    if (typeof value !== "string" || value.length < at) return null;
    const ahead = value.slice(at);
    return ahead.startsWith(text) || text.startsWith(ahead) ? value.slice(0, at) + text : null;
  }
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return null;
  const part = grow((value as Record<string | number, unknown>)[name], rest, at, text);
  if (part === null) return null;
  if (!Array.isArray(value)) return { ...value, [name]: part };
  return value.map((item, index) => (index === name ? part : item));
}
