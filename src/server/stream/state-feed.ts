import { setTimeout as sleep } from "node:timers/promises";
import pLimit from "p-limit";
import type { Logger } from "pino";
import { encodeGroup } from "../../protocol/sse.js";
import type { Delivery, Subscriber } from "../feed/audience.js";
import { type Cursor, cursorText } from "../feed/cursor.js";
import type { Hub } from "../feed/hub.js";
import { type ChangeInfo, spaceState } from "../feed/snapshot.js";
import type { Database } from "../postgres/functions.js";
import type { Connection } from "./connection.js";
import type { Permit } from "./recheck.js";

/** One reader of complete states, and that it may go on. */
export interface StateReader {
  connection: Connection;
  permit: Permit;
}

type State = Pick<Delivery, "frame" | "reached" | "hasBeings">;

interface Feed {
  readonly spaceId: string;
  readonly types: ReadonlySet<string>;
  readonly limit: number;
  readonly readers: Set<StateReader>;
  /** Readers with no room for a state, or of whom is asked whether they may have it. Then they get the newest one. */
  readonly behind: Set<StateReader>;
  /** Newcomers for whom there is no state yet that is not older than the cursor which they came with. */
  readonly waiting: Map<StateReader, Cursor>;
  /** The last state; undefined until there is one. */
  state: State | undefined;
  /** Something has changed since the last state was read. */
  stale: boolean;
  reading: boolean;
}

const RETRY_MS = 250;
/** However many limits are asked for: they leave the pool to the others. */
const STATES_AT_ONCE = 2;

/**
 * The readers of `/api/sync`, who get the complete state at each change. One feed for each space, types and
 * limit: each state is read and encoded once. A feed is a reader of the hub like any other.
 */
export class StateFeeds {
  readonly #feeds = new Map<string, { feed: Feed; leave: () => void }>();
  readonly #hub: Hub;
  readonly #database: Database;
  readonly #log: Logger;
  readonly #turns = pLimit(STATES_AT_ONCE);

  constructor(hub: Hub, database: Database, log: Logger) {
    this.#hub = hub;
    this.#database = database;
    this.#log = log;
  }

  join(
    spaceId: string,
    cursor: Cursor,
    types: ReadonlySet<string>,
    limit: number,
    reader: StateReader,
  ): void {
    const key = JSON.stringify([spaceId, [...types].sort(), limit]);
    let open = this.#feeds.get(key);
    if (!open) {
      const feed: Feed = {
        spaceId,
        types,
        limit,
        readers: new Set(),
        behind: new Set(),
        waiting: new Map(),
        state: undefined,
        stale: false,
        reading: false,
      };
      const subscriber = this.#subscriber(feed);
      open = { feed, leave: () => this.#hub.leave(spaceId, subscriber) };
      this.#feeds.set(key, open);
      this.#hub.join(spaceId, cursor, cursor.version, subscriber);
    }
    const { feed, leave } = open;
    feed.readers.add(reader);
    if (isAsOf(feed.state, cursor)) {
      send(feed, reader);
    } else {
      feed.waiting.set(reader, cursor);
      void this.#read(feed, undefined);
    }
    reader.connection.onClose(() => {
      feed.readers.delete(reader);
      feed.behind.delete(reader);
      feed.waiting.delete(reader);
      if (feed.readers.size > 0 || this.#feeds.get(key)?.feed !== feed) return;
      this.#feeds.delete(key);
      leave();
    });
  }

  #subscriber(feed: Feed): Subscriber {
    return {
      deliver: (delivery) => {
        const changes = delivery.events?.map(changeOf);
        if (changes && !changes.some((change) => feed.types.has(`${change.entityType}s`))) return;
        feed.stale = true;
        void this.#read(feed, changes?.length === 1 ? changes[0] : undefined);
      },
      // Of the hub's version: its readers may have an older state, some of them.
      heartbeat: () => {
        for (const { connection } of feed.readers) connection.heartbeat(this.#hub.beat);
      },
      end: () => {
        for (const { connection } of feed.readers) connection.end();
      },
    };
  }

  async #read(feed: Feed, changeInfo: ChangeInfo | undefined): Promise<void> {
    if (feed.reading) return;
    feed.reading = true;
    // What changes while a state is read makes one more state, which is not of one change.
    for (let info = changeInfo; feed.stale || feed.waiting.size > 0; info = undefined) {
      await this.#turns(() => this.#readOnce(feed, info));
    }
    feed.reading = false;
  }

  async #readOnce(feed: Feed, info: ChangeInfo | undefined): Promise<void> {
    const { spaceId, types, limit, stale } = feed;
    const asked = new Map(feed.waiting);
    feed.stale = false;
    if (feed.readers.size === 0) return;
    try {
      const snapshot = await this.#database.snapshot(spaceId, types.has("intentions") ? limit : 0, [
        ...types,
      ]);
      if (!snapshot) {
        for (const { connection } of feed.readers) connection.end();
        feed.waiting.clear();
        return;
      }
      const frame = encodeGroup([spaceState(spaceId, snapshot, types, info)], cursorText(snapshot));
      feed.state = { frame, reached: { epoch: snapshot.epoch, version: snapshot.version }, hasBeings: true };
      // Nobody who came meanwhile goes a step back; who came before has what there is, even after one.
      const takers = new Set(stale ? feed.readers : []);
      for (const [reader, cursor] of feed.waiting) {
        if (asked.has(reader) || isAsOf(feed.state, cursor)) {
          feed.waiting.delete(reader);
          takers.add(reader);
        } else {
          takers.delete(reader);
        }
      }
      for (const reader of takers) send(feed, reader);
    } catch (error) {
      this.#log.warn({ err: error, spaceId }, "the state could not be read; trying again");
      feed.stale ||= stale;
      await sleep(RETRY_MS, undefined, { ref: false });
    }
  }
}

function isAsOf(state: State | undefined, { epoch, version }: Cursor): state is State {
  return state?.reached.epoch === epoch && state.reached.version >= version;
}

// Each state is complete: a slow reader skips what it has no room for (P10), and whoever has a token may read a
// state if he still might when it was there.
function send(feed: Feed, reader: StateReader): void {
  const { connection, permit } = reader;
  const { state } = feed;
  if (!state || feed.behind.has(reader)) return;
  if (connection.isFull) {
    feed.behind.add(reader);
    connection.onceDrained(() => {
      if (feed.behind.delete(reader)) send(feed, reader);
    });
  } else if (permit.isTouchedBy(state)) {
    feed.behind.add(reader);
    void permit.onceAllowed(() => {
      if (!feed.behind.delete(reader)) return;
      connection.write(state.frame);
      if (feed.state !== state) send(feed, reader);
    });
  } else {
    connection.write(state.frame);
  }
}

function changeOf(json: string): ChangeInfo {
  const event = JSON.parse(json) as { type: string; id?: string; data?: { id: string } };
  const [entityType, verb] = event.type.split("-") as ["being" | "intention", string];
  const type = verb === "created" ? "add" : verb === "updated" ? "update" : "delete";
  return { type, entityType, entityId: (event.id ?? event.data?.id) as string };
}
