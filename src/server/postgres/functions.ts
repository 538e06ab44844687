import { setTimeout as sleep } from "node:timers/promises";
import type { SpacefeedError } from "../../protocol/errors.js";
import { Loader } from "../loader.js";
import { refusalError } from "./errors.js";
import { LargeReads } from "./large-reads.js";
import { Pool } from "./pool.js";

/** Between two questions for a space that somebody else was recording. */
const AGAIN_MS = 2;
/** Somebody holds the space for long. Then the answer has the next version: the change comes with that one, or a later one. */
const PATIENCE_MS = 500;

/** A state of a space, in one incarnation of the data. On the wire `<epoch>.<version>`. */
export interface Cursor {
  epoch: string;
  version: number;
}

/** A space as it is. */
export interface Snapshot extends Cursor {
  /** The JSON text that is sent: a space-sync event, or a state. */
  json: string;
}

/** What happened in a space after version `since`. */
export interface Changes extends Cursor {
  spaceId: string;
  since: number;
  /** Each one JSON text, the last with `prev` and `cursor`; empty: nothing; null: take a snapshot. */
  events: string[] | null;
  /** The lists that they are in: beings, intentions, or a tracked table's. */
  types: string[];
  /** Of just one event: the JSON text of `changeInfo`. */
  change: string | null;
  /** How long ago the last of it was recorded, in milliseconds. */
  ageMs: number | null;
}

/** What a newcomer asks: may these claims read the space, and where in it is `since`? */
export interface OpeningQuestion {
  claims: Claims;
  spaceId: string;
  since: string | null;
}

/** Where a newcomer stands: the space's cursor, and the version that its `since` stands for. */
export interface Opening extends Cursor {
  /** Null: only a snapshot will do. */
  since: number | null;
}

/** A row as clients see it, one JSON text, and the version of its space as far as it is known. */
export interface Stored {
  data: string;
  /** Null: it is in no space. */
  spaceId: string | null;
  version: number | null;
}

/** What is read: a row, or a page of them. `hasMore`: of messages, whether there are older ones. */
export interface Page {
  data: string;
  version: number | null;
  hasMore: boolean | null;
}

/** What a recording has done. */
export interface Recorded {
  /** The snapshot to record from next, which begins with the xid of the oldest open transaction; null: look at all notes. */
  nowSeen: string | null;
  /** Notes that became versions. */
  filed: number;
  /** There were more than are recorded at once. */
  isMore: boolean;
  /** Spaces that another one was recording. */
  leftBehind: string[];
  /** Spaces of which it did not work, and why. */
  failed: string[];
  reason: string | null;
}

/** The being that a token stands for, and what it says, as JSON with `being` in it; null: nobody in particular. */
export type Claims = { readonly being: string; readonly json: string } | null;

/** What a write says beside the action and the ID. */
export interface Write {
  spaceId?: string | undefined;
  body?: string;
  given?: { locationId?: string };
  /** Spaces that take no writes for now. */
  fullSpaces?: string[];
}

/**
 * One typed method for each SQL function that the relay calls: what they do and raise is said there. The column
 * `left_behind` is `leftBehind` here, a bigint is a number, and JSON stays the text that it is.
 */
export class Database extends Pool {
  readonly largeReads = new LargeReads();
  readonly #reached = new Loader<string, { version: number | null; isPending: boolean }>({
    batch: () => Number.POSITIVE_INFINITY,
    ask: (spaceIds) => this.#rows("reach", [spaceIds]),
  });

  async epoch(): Promise<string> {
    return (await this.#row<{ epoch: string }>("epoch", [])).epoch;
  }

  /** A row by its ID, of this space if one is given. Throws `not_found` and `forbidden`. */
  get(claims: Claims, type: string, id: string, spaceId?: string): Promise<Page> {
    return this.#row("read", [claims?.json, type, id, spaceId]);
  }

  /**
   * The beings of a space, or the newest `limit` of its messages, or of those before a message; oldest first. Once for
   * all who ask the same, a few at a time. Throws `not_found` and `forbidden`.
   */
  list(claims: Claims, type: string, spaceId: string, limit?: number, before?: string): Promise<Page> {
    const values = [claims?.json, type, null, spaceId, limit, before];
    return this.largeReads.read(values, () => this.#row("read", values));
  }

  /** `body` is the request's JSON text: Postgres takes the fields from its `data`, digit for digit. `given` beats them. */
  async write(
    claims: Claims,
    action: "create" | "update" | "delete",
    type: string,
    id: string | undefined,
    { spaceId, body = "{}", given = {}, fullSpaces = [] }: Write,
  ): Promise<Stored> {
    const rows = await this.query<Stored>(
      "write",
      `select data, in_space as "spaceId", version
       from sync.write($1, $2, $3, $4, $5, coalesce($6::jsonb -> 'data', '{}') || $7::jsonb, $8)`,
      [claims?.json, action, type, id, spaceId, body, JSON.stringify(given), fullSpaces],
    );
    return rows[0] as Stored;
  }

  /** Lets many newcomers in at once: the answers are in the order of the questions. Null: there is no such space. */
  async open(questions: readonly OpeningQuestion[]): Promise<(Opening | null | SpacefeedError)[]> {
    const rows = await this.#rows<{
      cursor: string | null;
      since: number | null;
      refusal: string | null;
      reason: string;
      isOfPolicy: boolean;
    }>("open", [
      questions.map(({ claims }) => claims?.json ?? null),
      questions.map(({ spaceId }) => spaceId),
      questions.map(({ since }) => since),
    ]);
    return rows.map(({ cursor, since, refusal, reason, isOfPolicy }) => {
      if (refusal !== null) return refusalError(refusal, reason, isOfPolicy);
      return cursor === null ? null : { ...parseCursor(cursor), since };
    });
  }

  /** A space with its newest `limit` messages: a state of these lists, or a space-sync event. Null: there is none. */
  async snapshot(
    spaceId: string,
    limit: number,
    types: readonly string[] | null,
    isEvent = false,
  ): Promise<Snapshot | null> {
    const values = [spaceId, limit, types, isEvent];
    const [row] = await this.#rows<{ cursor: string; state: string }>("state", values);
    return row ? { ...parseCursor(row.cursor), json: row.state } : null;
  }

  /** Throws `invalid` where one of these lists is not there. */
  async demandTypes(types: readonly string[]): Promise<void> {
    await this.#rows("demand_types", [types]);
  }

  /** What happened in many spaces, each since a version, in one snapshot of the database. */
  async changesSince(spaceIds: string[], versions: number[], max: number): Promise<Changes[]> {
    // The driver reads an array character by character: 0.14 s for a message of 1 MB. No JSON has a raw
    // record separator in it.
    const rows = await this.query<Omit<Changes, "events"> & { cursor: string; events: string | null }>(
      "changes_since",
      `select space_id as "spaceId", since, cursor, array_to_string(events, chr(30)) as events,
              coalesce(types, '{}') as types, change,
              age_ms as "ageMs"
       from sync.changes_since($1, $2, $3)`,
      [spaceIds, versions, max],
    );
    return rows.map(({ cursor, events, ...row }) => ({
      ...row,
      ...parseCursor(cursor),
      events: events === "" ? [] : (events?.split("\x1e") ?? null),
    }));
  }

  /** The relay's sign of life: whether commits have notified until now. `records`: null says nothing of it. */
  async relaySeen(records: boolean | null): Promise<boolean> {
    return (await this.#row<{ wasHeard: boolean }>("relay_seen", [records])).wasHeard;
  }

  /** The relay's answer to `sync.reached()`: the version that all of its readers have, null where nobody reads. */
  async tellReached(
    relay: number,
    epoch: string | null,
    spaceIds: string[],
    versions: (number | null)[],
  ): Promise<void> {
    await this.#rows("tell_reached", [relay, epoch, spaceIds, versions]);
  }

  async relayGone(relay: number): Promise<void> {
    await this.#rows("relay_gone", [relay]);
  }

  /** Makes this session the recorder: true if no other one is. Or ends that. */
  async lead(wanted: boolean): Promise<boolean> {
    return (await this.#row<{ lead: boolean }>("lead", [wanted])).lead;
  }

  /** A new xid: every transaction that had its own before has a lower one. */
  async drawXid(): Promise<bigint> {
    const rows = await this.query("draw_xid", "select pg_current_xact_id() as xid", []);
    return BigInt(rows[0]?.xid);
  }

  record(after: string | undefined, apart: string[], maxNotes: number): Promise<Recorded> {
    return this.#row("record", [after, apart, maxNotes]);
  }

  /** The version of a space at or after what was committed before, null where it has none. All who wait share one recording. */
  async reach(spaceId: string): Promise<number | null> {
    for (const until = performance.now() + PATIENCE_MS; ; await sleep(AGAIN_MS)) {
      const { version, isPending } = await this.#reached.load(spaceId);
      if (!isPending) return version;
      if (performance.now() > until) return (version ?? 0) + 1;
    }
  }

  /** Drops the tombstones older than so many days, at most `max`: how many they were. */
  async prune(days: number, max: number): Promise<number> {
    return (await this.#row<{ prune: number }>("prune", [`${days} days`, max])).prune;
  }

  /** `holders`: the sessions with the oldest transactions; one that listens keeps the queue from being emptied. */
  async notifyQueue(): Promise<{ usage: number; holders: { pid: number }[] }> {
    const { usage, holders } = await this.#row<{ usage: number; holders: string }>("notify_queue", []);
    return { usage, holders: JSON.parse(holders) };
  }

  warnings(): Promise<{ message: string; remedy: string }[]> {
    return this.#rows("warnings", []);
  }

  /** Whether the server would let a query of ours run for ever. */
  async isUnlimited(): Promise<boolean> {
    const rows = await this.query("statement_timeout", "show statement_timeout", []);
    return rows[0]?.statement_timeout === "0";
  }

  async #rows<Row extends object>(name: string, values: unknown[]): Promise<Row[]> {
    const rows = await this.query(
      name,
      `select * from sync.${name}(${values.map((_, index) => `$${index + 1}`).join(", ")})`,
      values,
    );
    return rows.map(
      (row) =>
        Object.fromEntries(Object.entries(row).map(([column, value]) => [camel(column), value])) as Row,
    );
  }

  async #row<Row extends object>(name: string, values: unknown[]): Promise<Row> {
    return (await this.#rows<Row>(name, values))[0] as Row;
  }
}

const camel = (column: string) => column.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Splits what SQL calls a cursor: the one place that does. */
function parseCursor(cursor: string): Cursor {
  const [epoch, version] = cursor.split(".") as [string, string];
  return { epoch, version: Number(version) };
}
