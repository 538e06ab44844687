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

/**
 * A reader of one space. It takes what it gets at once, and never throws.
 *
 *              too far behind, or another epoch
 *     ──► live ────────────────────────────────► needs a snapshot ◄──
 *         │  ▲ ◄─────────── snapshot ─────────── │  ▲
 *         ▼  │                                   ▼  │
 *         aside (backpressure, or first to be asked about), until it resumes
 */
export interface Subscriber {
  audience?: Audience;
  /** Up to where it has the space; while it needs a snapshot: what that one may not be older than. */
  cursor: Cursor;
  needsSnapshot: boolean;
  /** It takes what a text grew by instead of the row. */
  readonly takesAppends?: boolean;
  /** Gets nothing but heartbeats. */
  isAside: boolean;
  /** The version that has left for its client, in this incarnation of the data; null: nobody reads. */
  reached(epoch: string): number | null;
  deliver(delivery: Delivery): void;
  heartbeat(frame: Buffer): void;
  /** The space is no more. */
  gone(): void;
  /** The relay stops. */
  end(): void;
}

/** Readers of one space who get the same. */
export abstract class Audience {
  readonly readers = new Set<Subscriber>();

  constructor(readonly spaceId: string) {}

  /** Gives a reader what it lacks, from memory where that has it; else sees to it that it comes. */
  abstract place(reader: Subscriber): void;

  enter(reader: Subscriber, cursor: Cursor, needsSnapshot: boolean): void {
    reader.audience = this;
    reader.cursor = cursor;
    reader.needsSnapshot = needsSnapshot;
    this.readers.add(reader);
  }

  /** Whether one of them takes what a text grew by. */
  get takesAppends(): boolean {
    for (const { takesAppends } of this.readers) if (takesAppends) return true;
    return false;
  }

  /** The version that has left for all of them; null: there are none. */
  reached(epoch: string): number | null {
    let lowest: number | null = null;
    for (const reader of this.readers) {
      const version = reader.reached(epoch);
      if (version !== null && version < (lowest ?? Number.POSITIVE_INFINITY)) lowest = version;
    }
    return lowest;
  }

  resume(reader: Subscriber): void {
    reader.isAside = false;
    this.place(reader);
  }

  leave(reader: Subscriber): void {
    this.readers.delete(reader);
  }

  /** Those who wait for a snapshot. */
  waiting(): Subscriber[] {
    return [...this.readers].filter(({ needsSnapshot, isAside }) => needsSnapshot && !isAside);
  }
}

/** Whether this is no older state than that, in the same incarnation of the data. */
export function isAsOf(cursor: Cursor, least: Cursor): boolean {
  return cursor.epoch === least.epoch && cursor.version >= least.version;
}
