import type { Cursor } from "./cursor.js";
import type { Recent } from "./history.js";

/** What a reader gets at once. */
export interface Delivery {
  /** The SSE text, one Buffer shared by every reader. */
  frame: Buffer;
  /** Where it takes the reader. */
  reached: Cursor;
  /** The events of one group, each one JSON text; null for a space-sync, or several groups. */
  events: readonly string[] | null;
  /** A being came, changed or went in it, as far as is known. */
  hasBeings: boolean;
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
export class Room {
  readonly at = new Map<number, Set<Subscriber>>();
  /** Who waits for a snapshot, each with the version that it must not fall behind. */
  readonly waiting = new Map<Subscriber, number>();
  /** Who takes nothing for now, and comes back by itself. */
  readonly aside = new Set<Subscriber>();
  snapshotting = false;
  /** When its last reader left, in milliseconds. Others may be about to come back. */
  emptyAt = Date.now();

  constructor(
    readonly spaceId: string,
    readonly recent: Recent,
  ) {}

  get isEmpty(): boolean {
    return this.at.size === 0 && this.waiting.size === 0 && this.aside.size === 0;
  }

  /** Puts readers at a version, to those who stand there already. */
  place(version: number, newcomers: Set<Subscriber>): void {
    const there = this.at.get(version);
    if (!there) this.at.set(version, newcomers);
    else for (const newcomer of newcomers) there.add(newcomer);
  }

  add(version: number, newcomer: Subscriber): void {
    const there = this.at.get(version);
    if (there) there.add(newcomer);
    else this.at.set(version, new Set([newcomer]));
  }

  /** Takes the readers at a version away from it, to wait for a snapshot that is not older than `least`. */
  putOff(version: number, least: number): void {
    for (const subscriber of this.at.get(version) ?? []) this.waiting.set(subscriber, least);
    this.at.delete(version);
  }

  leave(subscriber: Subscriber): void {
    this.waiting.delete(subscriber);
    this.aside.delete(subscriber);
    for (const [version, subscribers] of this.at) {
      if (subscribers.delete(subscriber) && subscribers.size === 0) this.at.delete(version);
    }
    if (this.isEmpty) this.emptyAt = Date.now();
  }

  /** Everybody in the room. */
  *readers(): Generator<Subscriber> {
    for (const subscribers of this.at.values()) yield* subscribers;
    yield* this.waiting.keys();
    yield* this.aside;
  }
}
