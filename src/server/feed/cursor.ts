export type { Cursor } from "../postgres/functions.js";

import type { Cursor } from "../postgres/functions.js";

/** A cursor as it is on the wire. */
export function cursorText({ epoch, version }: Cursor): string {
  return `${epoch}.${version}`;
}
