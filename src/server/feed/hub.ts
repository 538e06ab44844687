import { setTimeout as sleep } from "node:timers/promises";
import pLimit from "p-limit";
import type { Logger } from "pino";
import { encodeGroup, encodeHeartbeat } from "../../protocol/sse.js";
import type { Metrics } from "../metrics.js";
import type { Changes, Database } from "../postgres/functions.js";
import { Room, type Subscriber } from "./audience.js";
import { Pump } from "./catch-up.js";
import { type Cursor, cursorText } from "./cursor.js";
import { Memory, Recent } from "./history.js";
import { spaceSyncEvent } from "./snapshot.js";

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
/** Large reads of all kinds together leave some connections of the pool to the others. */
const SNAPSHOTS_AT_ONCE = 3;
const VERSIONS_AT_ONCE = 16;
/** A room without readers is kept up to date for so long: who was cut off comes back to it. */
const LINGER_MS = 15_000;
const OF_BEING = /^\s*\{\s*"type"\s*:\s*"being-/;

/**
 * Knows the readers, and nothing of HTTP or of notifications. Live delivery is catch-up: a wake-up marks a
 * space dirty, and one query asks for the changes of all dirty spaces, from each version that some reader
 * has. A newcomer is simply a reader at another version: there is no join to get wrong (P3).
 */
export class Hub {
  /** The heartbeat of a reader of whom is not known where it should be. */
  readonly beat: Buffer;
  readonly #options: HubOptions;
  readonly #rooms = new Map<string, Room>();
  readonly #memory = new Memory();
  readonly #pump: Pump;
  readonly #closing = new AbortController();
  readonly #snapshots = pLimit(SNAPSHOTS_AT_ONCE);
  /** The incarnation of the data that the versions in the rooms belong to (P11). */
  #epoch: string | undefined;

  constructor(options: HubOptions) {
    this.#options = options;
    this.beat = encodeHeartbeat(null, options.heartbeatMs);
    this.#pump = new Pump({
      ...options,
      versionsOf: (spaceId) => this.#versionsOf(spaceId),
      epoch: () => this.#epoch,
      apply: (answers, askedIn) => {
        for (const changes of answers) {
          if (this.#isOutdated(askedIn, changes.epoch)) this.wake(changes.spaceId);
          else this.#apply(changes);
        }
      },
    });
  }

  /**
   * Adds a reader that has the space up to version `since`, or needs a snapshot (null), to a space that is at `now`.
   * It gets what it lacks, from memory where that has it, and then each change, until it leaves.
   */
  join(spaceId: string, now: Cursor, since: number | null, subscriber: Subscriber): void {
    if (this.#closing.signal.aborted) {
      subscriber.end();
      return;
    }
    let room = this.#rooms.get(spaceId);
    if (!room) {
      room = new Room(spaceId, new Recent(this.#memory, this.#options.catchUpLimit));
      this.#rooms.set(spaceId, room);
    }
    room.aside.delete(subscriber);
    this.#epoch ??= now.epoch;
    if (now.epoch !== this.#epoch) {
      room.waiting.set(subscriber, 0);
      this.#requestSnapshot(room);
      return;
    }
    const { recent } = room;
    const isStale = recent.head === undefined || recent.head < now.version;
    const lacking = since !== null ? recent.since(since) : isStale ? undefined : recent.snapshot;
    if (lacking) {
      const version = recent.head as number;
      room.add(version, subscriber);
      this.#options.metrics.fromMemory.inc();
      const { buffer: frame, hasBeings } = lacking;
      subscriber.deliver({ frame, reached: { epoch: now.epoch, version }, events: null, hasBeings });
    } else if (since === null) {
      room.waiting.set(subscriber, now.version);
      this.#requestSnapshot(room);
    } else {
      room.add(since, subscriber);
    }
    if (isStale || (!lacking && since !== recent.head)) this.#pump.wake(spaceId);
  }

  leave(spaceId: string, subscriber: Subscriber): void {
    this.#rooms.get(spaceId)?.leave(subscriber);
  }

  /** Delivers nothing to this reader, only heartbeats, until it joins again. */
  setAside(spaceId: string, subscriber: Subscriber): void {
    const room = this.#rooms.get(spaceId);
    room?.leave(subscriber);
    room?.aside.add(subscriber);
  }

  /** Something was committed in this space. */
  wake(spaceId: string): void {
    if (this.#rooms.has(spaceId)) this.#pump.wake(spaceId);
  }

  /** Anything may have been committed anywhere: notifications were lost, or it is time to look. */
  wakeAll(): void {
    for (const [spaceId, room] of this.#rooms) {
      if (room.isEmpty && Date.now() - room.emptyAt > LINGER_MS) {
        this.#rooms.delete(spaceId);
        room.recent.forget();
      } else {
        this.#pump.wake(spaceId);
      }
    }
  }

  /** Sends a heartbeat to every reader, one Buffer for all who stand at the same version. */
  heartbeat(): void {
    const { heartbeatMs } = this.#options;
    const frames = new Map<number | null, Buffer>([[null, this.beat]]);
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
      beat(null, room.aside);
    }
  }

  /** Ends every reader. */
  close(): void {
    this.#closing.abort();
    this.#pump.close();
    for (const room of this.#rooms.values()) {
      for (const subscriber of room.readers()) subscriber.end();
    }
    this.#rooms.clear();
  }

  #apply(changes: Changes): void {
    const { since, epoch, version, events } = changes;
    const reached = { epoch, version };
    const cursor = cursorText(changes);
    this.#enter(reached.epoch);
    const room = this.#rooms.get(changes.spaceId);
    if (!room) return;
    if (events === null) {
      if (since === room.recent.head) room.recent.restart(reached.version);
      room.putOff(since, since);
      this.#requestSnapshot(room);
      return;
    }
    if (events.length === 0) {
      room.recent.head ??= reached.version;
      return;
    }
    const frame = encodeGroup(events, cursor);
    const hasBeings = events.some((json) => OF_BEING.test(json));
    room.recent.add(since, reached.version, { buffer: frame, hasBeings }, events.length);
    const subscribers = room.at.get(since);
    if (!subscribers) return; // they have left, or wait for a snapshot of the new epoch
    room.at.delete(since);
    room.place(reached.version, subscribers);
    const delivery = { frame, reached, events, hasBeings };
    for (const subscriber of subscribers) subscriber.deliver(delivery);
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
      room.recent.restart(undefined);
      for (const version of [...room.at.keys()]) room.putOff(version, 0);
      this.#requestSnapshot(room);
    }
  }

  /**
   * The versions to catch up from: that of the room's memory, and those of its readers. Many old ones would be many
   * copies of the same: a snapshot does for those.
   */
  #versionsOf(spaceId: string): number[] {
    const room = this.#rooms.get(spaceId);
    if (!room) return [];
    const { head } = room.recent;
    const versions = [...room.at.keys()].sort((a, b) => b - a);
    for (const version of versions.splice(VERSIONS_AT_ONCE)) room.putOff(version, version);
    this.#requestSnapshot(room);
    if (head !== undefined && !room.at.has(head)) versions.push(head);
    return versions;
  }

  /** An answer to a question of an epoch that is over. */
  #isOutdated(asked: string | undefined, cursor: string): boolean {
    return asked !== this.#epoch && cursor !== this.#epoch;
  }

  #requestSnapshot(room: Room): void {
    if (room.snapshotting || room.waiting.size === 0) return;
    room.snapshotting = true;
    void this.#snapshots(() => this.#snapshot(room)).finally(() => {
      room.snapshotting = false;
      this.#requestSnapshot(room); // who still waits, behind the other rooms
    });
  }

  async #snapshot(room: Room): Promise<void> {
    if (room.waiting.size === 0 || this.#closing.signal.aborted) return;
    const { database, snapshotLimit, metrics, log } = this.#options;
    const epoch = this.#epoch;
    const asked = new Map(room.waiting);
    try {
      const snapshot = await database.snapshot(room.spaceId, snapshotLimit);
      metrics.snapshots.inc();
      if (!snapshot) {
        for (const subscriber of room.waiting.keys()) subscriber.end();
        room.waiting.clear();
        return;
      }
      if (this.#isOutdated(epoch, snapshot.epoch)) return;
      const reached = { epoch: snapshot.epoch, version: snapshot.version };
      this.#enter(reached.epoch);
      const frame = encodeGroup([spaceSyncEvent(room.spaceId, snapshot)], cursorText(snapshot));
      // Whoever has begun to wait meanwhile may be further than this snapshot: it gets the next one. Whoever waited
      // before, and is further all the same, has what the database has lost.
      const takers = new Set<Subscriber>();
      for (const [subscriber, least] of room.waiting) {
        if (least <= reached.version || asked.get(subscriber) === least) takers.add(subscriber);
      }
      for (const subscriber of takers) room.waiting.delete(subscriber);
      room.recent.keep(reached.version, frame);
      if (takers.size === 0) return;
      room.place(reached.version, takers);
      for (const subscriber of takers) subscriber.deliver({ frame, reached, events: null, hasBeings: true });
      this.wake(room.spaceId);
    } catch (error) {
      log.warn({ err: error, spaceId: room.spaceId }, "snapshot did not work; trying again");
      await sleep(RETRY_MS, undefined, { signal: this.#closing.signal }).catch(() => {});
    }
  }
}
