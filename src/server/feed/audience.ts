import type { Cursor } from "../postgres/functions.js";
import { Appends } from "./appends.js";
import type { Delivery } from "./delivery.js";
import type { History } from "./history.js";

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
  /** What it is a reader of, until it leaves. */
  audience?: Feed;
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

/** What a reader is a reader of. */
export interface Feed {
  /** Goes on with a reader that was aside. */
  resume(reader: Subscriber): void;
  leave(reader: Subscriber): void;
}

/** The readers of the events of a space. Normally all of them are at one version. */
export class Audience implements Feed {
  readonly readers = new Set<Subscriber>();
  readonly appends = new Appends();
  /** When its last reader left, in milliseconds since 1970. */
  emptyAt = Date.now();
  /** A snapshot is read for those who wait. */
  isServed = false;

  /** `place` gives a reader what it lacks, from memory where that has it; else it sees to it that it comes. */
  constructor(
    readonly spaceId: string,
    readonly history: History,
    private readonly place: (audience: Audience, reader: Subscriber) => void,
  ) {}

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
    this.place(this, reader);
  }

  leave(reader: Subscriber): void {
    this.readers.delete(reader);
    this.emptyAt = Date.now();
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
