import type { Logger } from "pino";
import { encodeGroup } from "../../protocol/sse.js";
import type { Cursor, Database } from "../postgres/functions.js";
import { Audience, type Delivery, isAsOf, type Subscriber } from "./audience.js";
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
  /** The last state, for newcomers; undefined while it is read, or was not. */
  state: Delivery | undefined;
  /** Something has changed since a state was last asked for, and what, if it is just one change. */
  isStale = false;
  change: string | null = null;

  constructor(
    spaceId: string,
    /** Null: all. */
    readonly types: readonly string[] | null,
    readonly limit: number,
    private readonly feeds: StateFeeds,
  ) {
    super(spaceId);
  }

  place(reader: Subscriber): void {
    // Others may have had a newer one meanwhile.
    reader.needsSnapshot ||= reader.cursor !== this.state?.cursor;
    if (!reader.needsSnapshot) return;
    if (this.state && isAsOf(this.state.cursor, reader.cursor)) reader.deliver(this.state);
    else this.feeds.request(this);
  }

  override waiting(): Subscriber[] {
    return this.isStale ? [...this.readers].filter(({ isAside }) => !isAside) : super.waiting();
  }

  /** Who has the newest state has also what came since: it was of other types. */
  override reached(epoch: string): number | null {
    const lowest = super.reached(epoch);
    return lowest !== null && lowest === this.state?.cursor.version
      ? Math.max(lowest, this.cursor.version)
      : lowest;
  }

  override leave(reader: Subscriber): void {
    super.leave(reader);
    if (this.readers.size === 0) this.feeds.close(this);
  }

  deliver({ cursor, types, change }: Delivery): void {
    this.cursor = cursor;
    this.needsSnapshot = false;
    if (types && this.types && !types.some((type) => this.types?.includes(type))) return;
    this.change = this.isStale || this.waiting().length > 0 ? null : change;
    this.isStale = true;
    this.state = undefined;
    this.feeds.request(this);
  }

  // Of no version: its readers may have an older state, some of them.
  heartbeat(): void {
    for (const reader of this.readers) reader.heartbeat(this.feeds.hub.beat);
  }

  gone(): void {
    for (const reader of this.readers) reader.gone();
  }

  end(): void {
    for (const reader of this.readers) reader.end();
  }
}

/**
 * The readers of `/api/sync`, who get the complete state at each change; a slow one skips some (P10). One feed for each
 * space, types and limit: each state is read and encoded once.
 */
export class StateFeeds {
  readonly #feeds = new Map<string, StateFeed>();
  readonly #snapshots: Snapshots<StateFeed>;

  constructor(
    readonly hub: Hub,
    private readonly database: Database,
    log: Logger,
  ) {
    this.#snapshots = new Snapshots(STATES_AT_ONCE, log, (feed) => this.#read(feed));
  }

  join(
    spaceId: string,
    now: Cursor,
    types: readonly string[] | null,
    limit: number,
    reader: Subscriber,
  ): void {
    const key = keyOf({ spaceId, types, limit });
    const known = this.#feeds.get(key);
    const feed = known ?? new StateFeed(spaceId, types, limit, this);
    this.#feeds.set(key, feed);
    feed.enter(reader, now, true);
    if (!known) this.hub.join(spaceId, now, now.version, feed);
    feed.place(reader);
  }

  request(feed: StateFeed): void {
    this.#snapshots.request(feed);
  }

  close(feed: StateFeed): void {
    this.#feeds.delete(keyOf(feed));
    feed.audience?.leave(feed);
  }

  async #read(feed: StateFeed): Promise<Delivery | null> {
    const { spaceId, limit, types, change, isStale } = feed;
    for (const reader of feed.readers) reader.needsSnapshot ||= isStale;
    feed.isStale = false;
    feed.change = null;
    const snapshot = await this.database.snapshot(spaceId, limit, types);
    if (!snapshot) return null;
    const { json, ...cursor } = snapshot;
    const text = change ? `${json.slice(0, -1)},"changeInfo":${change}}` : json;
    const state = { frame: encodeGroup([text], cursorText(cursor)), cursor, types: null, change: null };
    if (!feed.isStale) feed.state = state;
    return state;
  }
}

function keyOf({ spaceId, types, limit }: Pick<StateFeed, "spaceId" | "types" | "limit">): string {
  return JSON.stringify([spaceId, types, limit]);
}
