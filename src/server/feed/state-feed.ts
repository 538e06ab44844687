import type { Logger } from "pino";
import type { Cursor, Database } from "../postgres/functions.js";
import type { Feed, Subscriber } from "./audience.js";
import type { Delivery } from "./delivery.js";
import type { Hub } from "./hub.js";
import { type Part, Snapshots } from "./snapshot.js";

/** However many limits are asked for: they leave the pool to the others. */
const STATES_AT_ONCE = 2;

/** What the readers of `/api/sync` follow: the complete state of a space at each change. */
export class StateFeeds {
  readonly snapshots: Snapshots;

  constructor(
    readonly hub: Hub,
    database: Database,
    log: Logger,
  ) {
    this.snapshots = new Snapshots(database, log, STATES_AT_ONCE);
  }

  join(
    spaceId: string,
    now: Cursor,
    types: readonly string[] | null,
    limit: number,
    reader: Subscriber,
  ): void {
    const feed = new StateFeed(this, { spaceId, limit, types, isEvent: false }, reader);
    this.hub.join(spaceId, now, now.version, feed);
    void feed.refresh();
  }
}

/** Hears of changes from the hub for one reader, and brings it the state; a slow one skips some (P10). */
class StateFeed implements Subscriber, Feed {
  declare audience?: Feed;
  declare cursor: Cursor;
  needsSnapshot = false;
  readonly isAside = false;
  /** Something has changed since the state was last asked for, and what, if it is just one change. */
  #isStale = true;
  #change: string | null = null;
  #isReading = false;
  /** Of the last state. The reader may not have taken it. */
  #sent: Cursor | undefined;

  constructor(
    private readonly feeds: StateFeeds,
    private readonly part: Part,
    private readonly reader: Subscriber,
  ) {
    reader.audience = this;
  }

  deliver({ cursor, types, change }: Delivery): void {
    this.cursor = cursor;
    this.needsSnapshot = false;
    const { types: ours } = this.part;
    if (types && ours && !types.some((type) => ours.includes(type))) return;
    this.#change = this.#isStale || this.#isReading || this.reader.isAside ? null : change;
    this.#isStale = true;
    void this.refresh();
  }

  /** Brings the reader a state, once it needs one and takes it. */
  async refresh(): Promise<void> {
    if (!this.#isStale || this.#isReading || this.reader.isAside || !this.audience) return;
    this.#isStale = false;
    this.#isReading = true;
    const state = await this.feeds.snapshots.read(this.part, this.#change);
    this.#isReading = false;
    if (!this.audience) return;
    if (state === null) {
      this.reader.gone();
    } else if (state) {
      this.#sent = state.cursor;
      this.reader.deliver(state);
    } else {
      this.#isStale = true;
    }
    void this.refresh();
  }

  /** Who has the newest state has also what came since: it was of other types. */
  reached(epoch: string): number | null {
    const version = this.reader.reached(epoch);
    const hasAll = !this.#isStale && !this.#isReading && version === this.#sent?.version;
    return version !== null && hasAll ? Math.max(version, this.cursor.version) : version;
  }

  resume(): void {
    this.reader.isAside = false;
    if (this.reader.cursor !== this.#sent) this.#isStale = true;
    void this.refresh();
  }

  leave(): void {
    this.audience?.leave(this);
    delete this.audience;
  }

  // Of no version: its reader may have an older state.
  heartbeat(): void {
    this.reader.heartbeat(this.feeds.hub.beat);
  }

  gone(): void {
    this.reader.gone();
  }

  end(): void {
    this.reader.end();
  }
}
