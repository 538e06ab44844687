import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { SpacefeedError } from "../protocol/errors.js";
import { encodeGroup, encodeHeartbeat } from "../protocol/sse.js";
import { type Cursor, parseCursor } from "./cursor.js";
import type { Changes, Database } from "./database.js";
import type { Metrics } from "./metrics.js";
import { place, type Room, readers, type Subscriber } from "./room.js";
import { spaceSyncEvent } from "./snapshot-json.js";

export interface HubOptions {
  database: Database;
  metrics: Metrics;
  log: Logger;
  /** More changed entities than that behind: a space-sync. */
  catchUpLimit: number;
  /** Messages in a space-sync. */
  snapshotLimit: number;
  /** How often `heartbeat` is called, in milliseconds. */
  heartbeatMs: number;
}

const RETRY_MS = 250;
const SNAPSHOTS_AT_ONCE = 4;
const SPACES_AT_ONCE = 1_000;
const VERSIONS_AT_ONCE = 16;

/**
 * Knows the readers, and nothing of HTTP or of notifications. Live delivery is catch-up: a wake-up marks a
 * space dirty, and one query asks for the changes of all dirty spaces, from each version that some reader
 * has. A newcomer is simply a reader at another version: there is no join to get wrong (P3).
 */
export class Hub {
  readonly #options: HubOptions;
  readonly #rooms = new Map<string, Room>();
  readonly #dirty = new Set<string>();
  readonly #closing = new AbortController();
  readonly #snapshotQueue: Room[] = [];
  #snapshotsRunning = 0;
  #pumping = false;
  /** The incarnation of the data that the versions in the rooms belong to (P11). */
  #epoch: string | undefined;

  constructor(options: HubOptions) {
    this.#options = options;
  }

  /**
   * Adds a reader that has the space up to `cursor`, or needs a snapshot (null). It gets what it lacks, and
   * then each change. Returns what removes it.
   */
  join(spaceId: string, cursor: Cursor | null, subscriber: Subscriber): () => void {
    if (this.#closing.signal.aborted) {
      subscriber.end();
      return () => {};
    }
    let room = this.#rooms.get(spaceId);
    if (!room) {
      room = { spaceId, at: new Map(), waiting: new Map(), snapshotting: false };
      this.#rooms.set(spaceId, room);
    }
    // At once, so that the reader knows how often they come.
    subscriber.heartbeat(encodeHeartbeat(null, this.#options.heartbeatMs));
    if (cursor) this.#epoch ??= cursor.epoch;
    if (cursor && cursor.epoch === this.#epoch) {
      place(room, cursor.version, new Set([subscriber]));
      this.wake(spaceId);
    } else {
      room.waiting.set(subscriber, 0);
      this.#requestSnapshot(room);
    }
    return () => this.#leave(room, subscriber);
  }

  /** Something was committed in this space. */
  wake(spaceId: string): void {
    if (!this.#rooms.has(spaceId)) return;
    this.#dirty.add(spaceId);
    if (!this.#pumping) void this.#pump();
  }

  /** Anything may have been committed anywhere: notifications were lost, or it is time to look. */
  wakeAll(): void {
    for (const spaceId of this.#rooms.keys()) this.wake(spaceId);
  }

  /** Sends a heartbeat to every reader, one Buffer for all who stand at the same version. */
  heartbeat(): void {
    const { heartbeatMs } = this.#options;
    const frames = new Map<number | null, Buffer>();
    const beat = (version: number | null, subscribers: Iterable<Subscriber>) => {
      let frame = frames.get(version);
      if (!frame) {
        frame = encodeHeartbeat(version, heartbeatMs);
        frames.set(version, frame);
      }
      for (const subscriber of subscribers) subscriber.heartbeat(frame);
    };
    for (const room of this.#rooms.values()) {
      for (const [version, subscribers] of room.at) beat(version, subscribers);
      beat(null, room.waiting.keys());
    }
  }

  /** Ends every reader. */
  close(): void {
    this.#closing.abort();
    for (const room of this.#rooms.values()) {
      for (const subscriber of readers(room)) subscriber.end();
    }
    this.#rooms.clear();
    this.#dirty.clear();
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    // One turn of the event loop: what is committed together, or joins together, shares the query.
    await new Promise(setImmediate);
    while (this.#dirty.size > 0 && !this.#closing.signal.aborted) {
      const spaceIds: string[] = [];
      const versions: number[] = [];
      for (const spaceId of this.#dirty) {
        this.#dirty.delete(spaceId);
        const room = this.#rooms.get(spaceId);
        for (const version of room ? this.#versionsOf(room) : []) {
          spaceIds.push(spaceId);
          versions.push(version);
        }
        if (spaceIds.length >= SPACES_AT_ONCE) break;
      }
      if (spaceIds.length === 0) continue;
      const epoch = this.#epoch;
      try {
        const answers = await this.#ask(spaceIds, versions);
        for (const changes of answers) {
          if (this.#isOutdated(epoch, changes.cursor)) this.wake(changes.spaceId);
          else this.#apply(changes);
        }
      } catch (error) {
        this.#options.log.warn({ err: error }, "catch-up did not work; trying again");
        for (const spaceId of spaceIds) this.#dirty.add(spaceId);
        await this.#pause();
      }
    }
    this.#pumping = false;
  }

  /** Throws only when the database is away. A space of which the query fails does not hold up the others. */
  async #ask(spaceIds: string[], versions: number[]): Promise<Changes[]> {
    const { database, catchUpLimit, metrics, log } = this.#options;
    try {
      const answers = await database.changesSince(spaceIds, versions, catchUpLimit);
      metrics.catchUps.inc(answers.length);
      return answers;
    } catch (error) {
      if (error instanceof SpacefeedError && error.code === "unavailable") throw error;
      if (spaceIds.length === 1) {
        log.error({ err: error, spaceId: spaceIds[0] }, "this space cannot be caught up for now");
        return [];
      }
      const answers: Changes[] = [];
      for (const [index, spaceId] of spaceIds.entries()) {
        answers.push(...(await this.#ask([spaceId], [versions[index] as number])));
      }
      return answers;
    }
  }

  #apply(changes: Changes): void {
    const reached = parseCursor(changes.cursor);
    this.#enter(reached.epoch);
    const room = this.#rooms.get(changes.spaceId);
    const subscribers = room?.at.get(changes.since);
    if (!room || !subscribers) return; // they have left, or wait for a snapshot of the new epoch
    if (changes.events === null) {
      room.at.delete(changes.since);
      for (const subscriber of subscribers) room.waiting.set(subscriber, changes.since);
      this.#requestSnapshot(room);
    } else if (changes.events.length > 0) {
      const { cursor, events } = changes;
      const delivery = { frame: encodeGroup(events, cursor), reached, events };
      room.at.delete(changes.since);
      place(room, reached.version, subscribers);
      for (const subscriber of subscribers) subscriber.deliver(delivery);
    }
  }

  /** Versions of another epoch mean nothing here: their readers wait for a snapshot (P11). */
  #enter(epoch: string): void {
    if (epoch === this.#epoch) return;
    if (this.#epoch !== undefined) {
      this.#options.log.warn(
        { from: this.#epoch, to: epoch },
        "the database is another: every reader starts over",
      );
    }
    this.#epoch = epoch;
    for (const room of this.#rooms.values()) {
      for (const subscribers of room.at.values()) {
        for (const subscriber of subscribers) room.waiting.set(subscriber, 0);
      }
      room.at.clear();
      this.#requestSnapshot(room);
    }
  }

  /** The versions to catch up from. Many old ones would be many copies of the same: a snapshot does for those. */
  #versionsOf(room: Room): number[] {
    const versions = [...room.at.keys()].sort((a, b) => b - a);
    for (const version of versions.splice(VERSIONS_AT_ONCE)) {
      for (const subscriber of room.at.get(version) ?? []) room.waiting.set(subscriber, version);
      room.at.delete(version);
    }
    this.#requestSnapshot(room);
    return versions;
  }

  /** An answer to a question of an epoch that is over. */
  #isOutdated(asked: string | undefined, cursor: string): boolean {
    return asked !== this.#epoch && parseCursor(cursor).epoch !== this.#epoch;
  }

  #requestSnapshot(room: Room): void {
    if (room.snapshotting || room.waiting.size === 0) return;
    room.snapshotting = true;
    this.#snapshotQueue.push(room);
    this.#takeSnapshots();
  }

  #takeSnapshots(): void {
    while (this.#snapshotsRunning < SNAPSHOTS_AT_ONCE) {
      const room = this.#snapshotQueue.shift();
      if (!room) return;
      this.#snapshotsRunning++;
      void this.#snapshot(room).finally(() => {
        this.#snapshotsRunning--;
        room.snapshotting = false;
        this.#requestSnapshot(room); // who still waits, behind the other rooms
        this.#takeSnapshots();
      });
    }
  }

  async #snapshot(room: Room): Promise<void> {
    if (room.waiting.size === 0 || this.#closing.signal.aborted) return;
    const { database, snapshotLimit, metrics, log } = this.#options;
    const epoch = this.#epoch;
    try {
      const snapshot = await database.snapshot(room.spaceId, snapshotLimit);
      metrics.snapshots.inc();
      if (!snapshot) {
        for (const subscriber of room.waiting.keys()) subscriber.end();
        room.waiting.clear();
        return;
      }
      if (this.#isOutdated(epoch, snapshot.cursor)) return;
      const reached = parseCursor(snapshot.cursor);
      this.#enter(reached.epoch);
      const frame = encodeGroup([spaceSyncEvent(room.spaceId, snapshot)], snapshot.cursor);
      // Whoever has begun to wait meanwhile may be further than this snapshot: it gets the next one.
      const takers = new Set<Subscriber>();
      for (const [subscriber, least] of room.waiting) if (least <= reached.version) takers.add(subscriber);
      for (const subscriber of takers) room.waiting.delete(subscriber);
      if (takers.size === 0) return;
      place(room, reached.version, takers);
      for (const subscriber of takers) subscriber.deliver({ frame, reached, events: null });
      this.wake(room.spaceId);
    } catch (error) {
      log.warn({ err: error, spaceId: room.spaceId }, "snapshot did not work; trying again");
      await this.#pause();
    }
  }

  #leave(room: Room, subscriber: Subscriber): void {
    room.waiting.delete(subscriber);
    for (const [version, subscribers] of room.at) {
      if (subscribers.delete(subscriber) && subscribers.size === 0) room.at.delete(version);
    }
    if (room.at.size === 0 && room.waiting.size === 0 && this.#rooms.get(room.spaceId) === room) {
      this.#rooms.delete(room.spaceId);
    }
  }

  #pause(): Promise<void> {
    return sleep(RETRY_MS, undefined, { signal: this.#closing.signal }).catch(() => {});
  }
}
