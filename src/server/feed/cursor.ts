import type { Cursor } from "../postgres/functions.js";

/** A cursor as it is on the wire: `<epoch>.<version>`. */
export function cursorText({ epoch, version }: Cursor): string {
  return `${epoch}.${version}`;
}
