import { LIMITS } from "../../protocol/messages.js";
import { encodeGroup, encodeHeartbeat } from "../../protocol/sse.js";
import type { Changes, Cursor } from "../postgres/functions.js";
import { Audience, isAsOf, type Subscriber } from "./audience.js";
import { CatchUp, type CatchUpOptions } from "./catch-up.js";
import { cursorText } from "./cursor.js";
import type { Delivery } from "./delivery.js";
import { History, Memory } from "./history.js";
import { Snapshots } from "./snapshot.js";

export interface HubOptions extends CatchUpOptions {
  /** How often `heartbeat` is called, in milliseconds. */
  heartbeatMs: number;
}

/** Large reads of all kinds together leave some connections of the pool to the others. */
const SNAPSHOTS_AT_ONCE = 3;
/** Versions of a space to catch up from. Readers at older ones get a snapshot, or it would be many copies of the same. */
const VERSIONS_AT_ONCE = 16;
/** A space without readers is kept up to date for so long, in milliseconds: those that were cut off come back to it. */
const LINGER_MS = 15_000;

/**
 * Knows the readers, and nothing of HTTP or of notifications. Live delivery is catch-up: of the spaces that were woken,
 * one query asks for the changes from each version that some reader is at. A newcomer is simply a reader at another
 * version: there is no join to get wrong (P3).
 */
export class Hub {
  /** The heartbeat of a reader whose version is not known. */
  readonly beat: Buffer;
  readonly #audiences = new Map<string, Audience>();
  readonly #memory = new Memory();
  readonly #catchUp: CatchUp;
  readonly #snapshots: Snapshots;
  /** The incarnation of the data that the versions of the readers belong to (P11). */
  #epoch: string | undefined;
  #isClosed = false;

  constructor(private readonly options: HubOptions) {
    this.beat = encodeHeartbeat(null, options.heartbeatMs);
    this.#snapshots = new Snapshots(options.database, options.log, SNAPSHOTS_AT_ONCE);
    const versionsOf = (spaceId: string) => this.#versionsOf(spaceId);
    this.#catchUp = new CatchUp(options, versionsOf, () => {
      const askedIn = this.#epoch;
      return (answers) => {
        const now = performance.now();
        for (const changes of answers) {
          if (this.#isOutdated(askedIn, changes)) this.wake(changes.spaceId);
          else this.#apply(changes, now);
        }
      };
    });
  }

  /**
   * Adds a reader that has the space up to version `since`, or needs a snapshot (null), to a space that is at `now`.
   * It gets what it lacks, and then each change, until it leaves its audience.
   */
  join(spaceId: string, now: Cursor, since: number | null, reader: Subscriber): void {
    if (this.#isClosed) {
      reader.end();
      return;
    }
    this.#epoch ??= now.epoch;
    let audience = this.#audiences.get(spaceId);
    if (!audience) {
      const history = new History(this.#memory, this.options.catchUpLimit);
      audience = new Audience(spaceId, history, (of, one) => this.#place(of, one, one.cursor));
      this.#audiences.set(spaceId, audience);
    }
    audience.readers.add(reader);
    reader.audience = audience;
    reader.cursor = since === null ? now : { epoch: now.epoch, version: since };
    reader.needsSnapshot = since === null;
    this.#place(audience, reader, now);
  }

  /** Gives a reader what it lacks up to `now`, from memory where that has it; else sees to it that it comes. */
  #place(audience: Audience, reader: Subscriber, now: Cursor): void {
    const { history, spaceId } = audience;
    const { head } = history;
    const isStale = head === undefined || head < now.version;
    if (now.epoch !== this.#epoch) this.#startOver(reader);
    else if (isStale || reader.needsSnapshot || reader.cursor.version !== head) {
      const known = isStale ? undefined : history.snapshot;
      const lacking = reader.needsSnapshot ? known : history.since(reader.cursor.version);
      if (isStale || !lacking) this.#catchUp.wake(spaceId);
      if (lacking) {
        this.options.metrics.fromMemory.inc();
        reader.deliver(lacking);
      }
    }
    if (reader.needsSnapshot) void this.#serve(audience);
  }

  /** Something was committed in this space. */
  wake(spaceId: string): void {
    if (this.#audiences.has(spaceId)) this.#catchUp.wake(spaceId);
  }

  /** Anything may have been committed anywhere: notifications were lost, or it is time to look. */
  wakeAll(): void {
    for (const [spaceId, { readers, emptyAt, history }] of this.#audiences) {
      if (readers.size > 0 || Date.now() - emptyAt <= LINGER_MS) {
        this.#catchUp.wake(spaceId);
      } else {
        this.#audiences.delete(spaceId);
        history.restart(undefined);
      }
    }
  }

  /** The incarnation of the data that is read; null: none yet. */
  get epoch(): string | null {
    return this.#epoch ?? null;
  }

  /** The version that every reader of the space here has, as far as is known; null: nobody reads it. */
  reached(spaceId: string): number | null {
    return this.#audiences.get(spaceId)?.reached(this.#epoch as string) ?? null;
  }

  /** Sends a heartbeat to every reader, one Buffer for all who are at the same version. */
  heartbeat(): void {
    const frames = new Map<number | null, Buffer>();
    for (const { readers } of this.#audiences.values()) {
      for (const reader of readers) {
        const version = isLive(reader) ? reader.cursor.version : null;
        let frame = frames.get(version);
        if (!frame) {
          frame = encodeHeartbeat(version, this.options.heartbeatMs);
          frames.set(version, frame);
        }
        reader.heartbeat(frame);
      }
    }
  }

  /** Ends every reader. */
  close(): void {
    this.#isClosed = true;
    for (const { readers } of this.#audiences.values()) {
      for (const reader of readers) reader.end();
    }
    this.#audiences.clear();
  }

  /** `readAt`: when the answer came, by `performance.now()`. */
  #apply({ spaceId, since, epoch, version, events, types, change, ageMs }: Changes, readAt: number): void {
    const { toRelay, toSocket } = this.options.metrics;
    this.#enter(epoch);
    const audience = this.#audiences.get(spaceId);
    if (!audience) return;
    const { history, readers } = audience;
    if (events === null) {
      if (since === history.head) history.restart(version);
      for (const reader of readers) if (isLive(reader, since)) reader.needsSnapshot = true;
      void this.#serve(audience);
    } else if (events.length === 0) {
      history.head ??= version;
    } else {
      const cursor = { epoch, version };
      const delivery = { frame: encodeGroup(events, cursorText(cursor)), cursor, types, change };
      const isNews = since === history.head;
      const live = isNews ? this.#withAppends(audience, delivery, events, since) : delivery;
      history.add(since, delivery, events.length);
      for (const reader of readers) if (isLive(reader, since)) reader.deliver(live);
      if (!isNews) return; // of who was away, it tells no delay
      if (ageMs !== null) toRelay.observe(Math.max(0, ageMs) / 1_000);
      toSocket.observe((performance.now() - readAt) / 1_000);
    }
  }

  /** Whoever comes back, or is behind, gets the rows whole. */
  #withAppends(audience: Audience, delivery: Delivery, events: string[], since: number): Delivery {
    if (!audience.takesAppends) return delivery;
    const { cursor } = delivery;
    const shortened = audience.appends.shorten(events, since, cursor.version);
    return shortened
      ? { ...delivery, appended: { frame: encodeGroup(shortened, cursorText(cursor)) } }
      : delivery;
  }

  /** Reads a snapshot for those of an audience who wait for one, until nobody does. */
  async #serve(audience: Audience): Promise<void> {
    if (audience.isServed) return;
    audience.isServed = true;
    const { spaceId } = audience;
    for (let asked = audience.waiting(); asked.length > 0; asked = audience.waiting()) {
      const askedIn = this.#epoch;
      const part = { spaceId, limit: LIMITS.defaultPage, types: null, isEvent: true };
      const delivery = await this.#snapshots.read(part);
      if (delivery === undefined) continue;
      this.options.metrics.snapshots.inc();
      if (delivery === null) {
        for (const reader of audience.waiting()) reader.gone();
        break;
      }
      const { cursor } = delivery;
      if (this.#isOutdated(askedIn, cursor)) continue;
      this.#enter(cursor.epoch);
      audience.history.keep(delivery);
      this.wake(spaceId);
      // Those who have begun to wait meanwhile may be further than this: they get the next one. Those who waited
      // before, and are further all the same, have what the database has lost.
      const had = new Set(asked);
      for (const reader of audience.waiting()) {
        if (had.has(reader) || isAsOf(cursor, reader.cursor)) reader.deliver(delivery);
      }
    }
    audience.isServed = false;
  }

  /** Versions of another epoch mean nothing here: their readers wait for a snapshot (P11). */
  #enter(epoch: string): void {
    if (epoch === this.#epoch) return;
    const from = this.#epoch;
    this.#epoch = epoch;
    if (from) {
      this.options.log.warn(
        { from, to: epoch },
        "the database was restored or replaced: every reader starts over",
      );
    }
    for (const audience of this.#audiences.values()) {
      audience.history.restart(undefined);
      for (const reader of audience.readers) this.#startOver(reader);
      void this.#serve(audience);
    }
  }

  #startOver(reader: Subscriber): void {
    reader.needsSnapshot = true;
    reader.cursor = { epoch: this.#epoch as string, version: 0 };
  }

  /** The versions to catch up from: that of the history, and the newest of those that readers are at. */
  #versionsOf(spaceId: string): number[] {
    const audience = this.#audiences.get(spaceId);
    if (!audience) return [];
    const { readers, history } = audience;
    const at = new Set<number>();
    for (const reader of readers) if (isLive(reader)) at.add(reader.cursor.version);
    const versions = [...at].sort((a, b) => b - a);
    for (const old of versions.splice(VERSIONS_AT_ONCE)) {
      for (const reader of readers) if (isLive(reader, old)) reader.needsSnapshot = true;
      void this.#serve(audience);
    }
    if (history.head !== undefined && !at.has(history.head)) versions.push(history.head);
    return versions;
  }

  /** An answer to a question of an epoch that is over. */
  #isOutdated(askedIn: string | undefined, { epoch }: Cursor): boolean {
    return askedIn !== this.#epoch && epoch !== this.#epoch;
  }
}

/** Whether it gets what builds on its version, or on this one. */
function isLive({ needsSnapshot, isAside, cursor }: Subscriber, version = cursor.version): boolean {
  return !needsSnapshot && !isAside && cursor.version === version;
}
