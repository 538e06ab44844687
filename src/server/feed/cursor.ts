/** A state of a space, in one incarnation of the data. On the wire `<epoch>.<version>`. */
export interface Cursor {
  epoch: string;
  version: number;
}

/** Splits what `sync.current_cursor()` and its like return. */
export function parseCursor(cursor: string): Cursor {
  const [epoch, version] = cursor.split(".") as [string, string];
  return { epoch, version: Number(version) };
}
