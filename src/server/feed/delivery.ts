import type { Cursor } from "../postgres/functions.js";

/** One Buffer of SSE text, which all who get it share. */
interface Encoded {
  frame: Buffer;
  /** The same with the space in each event, once somebody needs it. */
  named?: Buffer;
}

/** What readers get at once. */
export interface Delivery extends Encoded {
  /** The same for those who have the version before and take what a text grew by, where one did. */
  appended?: Encoded;
  /** Where it takes the reader. */
  cursor: Cursor;
  /** The lists in which something has changed; null: in any. */
  types: readonly string[] | null;
  /** Of just one event: the JSON text of `changeInfo`. */
  change: string | null;
}
