import type { Cursor } from "./cursor.js";

/** One group, as all of its readers get it. */
export interface Delivery {
  /** The SSE text, one Buffer shared by every reader. */
  frame: Buffer;
  /** Where it takes the reader. */
  reached: Cursor;
  /** The events, each one JSON text; null for a space-sync. */
  events: readonly string[] | null;
}

/** A reader of one space. Whoever it is must take what it gets at once, and never throw. */
export interface Subscriber {
  deliver(delivery: Delivery): void;
  heartbeat(frame: Buffer): void;
  /** The space is gone, or the relay stops. */
  end(): void;
}

/**
 * The readers of one space, by the version that each has reached: normally all of them stand at one. A
 * group that builds on version v goes to those at v, and moves them on; who waits has no usable version.
 */
export interface Room {
  readonly spaceId: string;
  readonly at: Map<number, Set<Subscriber>>;
  /** Who waits for a snapshot, each with the version that it must not fall behind. */
  readonly waiting: Map<Subscriber, number>;
  snapshotting: boolean;
}

/** Puts readers at a version, to those who stand there already. */
export function place(room: Room, version: number, newcomers: Set<Subscriber>): void {
  const there = room.at.get(version);
  if (!there) room.at.set(version, newcomers);
  else for (const newcomer of newcomers) there.add(newcomer);
}

/** Everybody in the room. */
export function* readers(room: Room): Generator<Subscriber> {
  for (const subscribers of room.at.values()) yield* subscribers;
  yield* room.waiting.keys();
}
