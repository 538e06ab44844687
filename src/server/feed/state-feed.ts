import type { Logger } from "pino";
import { encodeGroup } from "../../protocol/sse.js";
import type { Cursor, Database } from "../postgres/functions.js";
import { ALL_TYPES, Audience, type Delivery, isAsOf, type Subscriber } from "./audience.js";
import { cursorText } from "./cursor.js";
import type { Hub } from "./hub.js";
import { Snapshots } from "./snapshot.js";

/** However many limits are asked for: they leave the pool to the others. */
const STATES_AT_ONCE = 2;

/** The readers of one kind of state, who all need one at each change. It is itself a reader of the hub. */
class StateFeed extends Audience implements Subscriber {
  declare audience?: Audience;
  declare cursor: Cursor;
  needsSnapshot = false;
  isAside = false;
  /** The newest state, for newcomers; undefined while none is as new as the last change. */
  state: Delivery | undefined;
  /** What the next state differs in, if that is just one change. */
  change: string | null = null;
  isStale = false;

  constructor(
    spaceId: string,
    readonly types: readonly string[],
    readonly limit: number,
    readonly beat: Buffer,
    readonly request: (feed: StateFeed) => void,
    readonly close: () => void,
  ) {
    super(spaceId);
  }

  override get isWaiting(): boolean {
    return this.readers.size > 0 && (this.isStale || super.isWaiting);
  }

  place(reader: Subscriber): void {
    // Others may have had a newer one meanwhile.
    reader.needsSnapshot ||= reader.cursor !== this.state?.cursor;
    if (!reader.needsSnapshot) return;
    if (this.state && isAsOf(this.state.cursor, reader.cursor)) reader.deliver(this.state);
    else this.request(this);
  }

  override leave(reader: Subscriber): void {
    super.leave(reader);
    if (this.readers.size > 0) return;
    this.audience?.leave(this);
    this.close();
  }

  deliver({ cursor, types, change }: Delivery): void {
    this.cursor = cursor;
    this.needsSnapshot = false;
    if (!types.some((type) => this.types.includes(`${type}s`))) return;
    this.change = this.isWaiting ? null : change;
    this.isStale = true;
    this.state = undefined;
    this.request(this);
  }

  // Of no version: its readers may have an older state, some of them.
  heartbeat(): void {
    for (const reader of this.readers) reader.heartbeat(this.beat);
  }

  end(): void {
    for (const reader of this.readers) reader.end();
  }
}

/**
 * The readers of `/api/sync`, who get the complete state at each change: a slow one skips those that it has no room for
 * (P10). One feed for each space, types and limit: each state is read and encoded once.
 */
export class StateFeeds {
  readonly #feeds = new Map<string, StateFeed>();
  readonly #hub: Hub;
  readonly #database: Database;
  readonly #snapshots: Snapshots<StateFeed>;

  constructor(hub: Hub, database: Database, log: Logger) {
    this.#hub = hub;
    this.#database = database;
    this.#snapshots = new Snapshots(log, STATES_AT_ONCE, (feed) => this.#read(feed));
  }

  join(spaceId: string, now: Cursor, types: readonly string[], limit: number, reader: Subscriber): void {
    const key = JSON.stringify([spaceId, types, limit]);
    const known = this.#feeds.get(key);
    const feed = known ?? this.#open(key, spaceId, types, limit);
    feed.enter(reader, now, true);
    if (!known) this.#hub.join(spaceId, now, now.version, feed);
    feed.place(reader);
  }

  #open(key: string, spaceId: string, types: readonly string[], limit: number): StateFeed {
    const request = (feed: StateFeed) => this.#snapshots.request(feed);
    const feed = new StateFeed(spaceId, types, limit, this.#hub.beat, request, () => this.#feeds.delete(key));
    this.#feeds.set(key, feed);
    return feed;
  }

  async #read(feed: StateFeed): Promise<Delivery | null> {
    const { spaceId, limit, types, change } = feed;
    // Who comes after this, or a change, makes one more state.
    for (const reader of feed.readers) reader.needsSnapshot ||= feed.isStale;
    feed.isStale = false;
    feed.change = null;
    const snapshot = await this.#database.snapshot(spaceId, limit, types);
    if (!snapshot) return null;
    const cursor = { epoch: snapshot.epoch, version: snapshot.version };
    const json = change ? `${snapshot.json.slice(0, -1)},"changeInfo":${change}}` : snapshot.json;
    const state = { frame: encodeGroup([json], cursorText(cursor)), cursor, types: ALL_TYPES, change: null };
    if (!feed.isStale) feed.state = state;
    return state;
  }
}
