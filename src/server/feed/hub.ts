import { LIMITS } from "../../protocol/messages.js";
import { encodeGroup, encodeHeartbeat } from "../../protocol/sse.js";
import type { Changes, Cursor } from "../postgres/functions.js";
import { Appends } from "./appends.js";
import { Audience, type Delivery, type Subscriber } from "./audience.js";
import { CatchUp, type CatchUpOptions } from "./catch-up.js";
import { cursorText } from "./cursor.js";
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

/** The readers of the events of a space. Normally all of them are at one version. */
class EventAudience extends Audience {
  /** When its last reader left, in milliseconds since 1970. */
  emptyAt = Date.now();
  readonly appends = new Appends();

  constructor(
    spaceId: string,
    readonly history: History,
    private readonly hub: Hub,
  ) {
    super(spaceId);
  }

  override place(reader: Subscriber): void {
    this.hub.place(this, reader, reader.cursor);
  }

  override leave(reader: Subscriber): void {
    super.leave(reader);
    this.emptyAt = Date.now();
  }
}

/**
 * Knows the readers, and nothing of HTTP or of notifications. Live delivery is catch-up: of the spaces that were woken,
 * one query asks for the changes from each version that some reader is at. A newcomer is simply a reader at another
 * version: there is no join to get wrong (P3).
 */
export class Hub {
  /** The heartbeat of a reader whose version is not known. */
  readonly beat: Buffer;
  readonly #audiences = new Map<string, EventAudience>();
  readonly #memory = new Memory();
  readonly #catchUp: CatchUp;
  readonly #snapshots: Snapshots<EventAudience>;
  /** The incarnation of the data that the versions of the readers belong to (P11). */
  #epoch: string | undefined;
  #isClosed = false;

  constructor(private readonly options: HubOptions) {
    this.beat = encodeHeartbeat(null, options.heartbeatMs);
    this.#snapshots = new Snapshots(SNAPSHOTS_AT_ONCE, options.log, (audience) => this.#snapshot(audience));
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
      audience = new EventAudience(spaceId, new History(this.#memory, this.options.catchUpLimit), this);
      this.#audiences.set(spaceId, audience);
    }
    audience.enter(reader, since === null ? now : { epoch: now.epoch, version: since }, since === null);
    this.place(audience, reader, now);
  }

  /** Gives a reader what it lacks up to `now`, from memory where that has it; else sees to it that it comes. */
  place(audience: EventAudience, reader: Subscriber, now: Cursor): void {
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
    if (reader.needsSnapshot) this.#snapshots.request(audience);
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
      this.#snapshots.request(audience);
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
  #withAppends(audience: EventAudience, delivery: Delivery, events: string[], since: number): Delivery {
    if (!audience.takesAppends) return delivery;
    const { cursor } = delivery;
    const shortened = audience.appends.shorten(events, since, cursor.version);
    return shortened
      ? { ...delivery, appended: { frame: encodeGroup(shortened, cursorText(cursor)) } }
      : delivery;
  }

  async #snapshot(audience: EventAudience): Promise<Delivery | null | undefined> {
    const { database, metrics } = this.options;
    const askedIn = this.#epoch;
    const snapshot = await database.snapshot(audience.spaceId, LIMITS.defaultPage, null, true);
    metrics.snapshots.inc();
    if (!snapshot) return null;
    const { json, ...cursor } = snapshot;
    if (this.#isOutdated(askedIn, cursor)) return undefined;
    this.#enter(cursor.epoch);
    const frame = encodeGroup([json], cursorText(cursor));
    const delivery = { frame, cursor, types: null, change: null };
    audience.history.keep(delivery);
    this.wake(audience.spaceId);
    return delivery;
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
      this.#snapshots.request(audience);
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
      this.#snapshots.request(audience);
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
