import type { SpacefeedError } from "../../protocol/errors.js";
import { refusalError } from "./errors.js";
import { LargeReads } from "./large-reads.js";
import { Pool } from "./pool.js";

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
  /** The types of the entities in them. */
  types: string[];
  /** Of just one event: the JSON text of `changeInfo`. */
  change: string | null;
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
  json: string;
  /** Null: it is in no space. */
  spaceId: string | null;
  version: number | null;
}

/** What is read: a row, or a page of them. `hasMore`: of messages, whether there are older ones. */
export interface Page {
  json: string;
  version: number | null;
  hasMore: boolean | null;
}

export type EntityType = "being" | "intention";

/** What a recording has done. */
export interface Recorded {
  /** The snapshot to record from next; null: look at all notes. */
  seen: string | null;
  /** The xid of the oldest transaction that was open in it. */
  oldestOpen: bigint;
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

/** The version of a space, at or after what was committed before it was asked for. */
export interface Reached {
  spaceId: string;
  version: number | null;
  /** Another one was recording it just then: ask again. */
  isPending: boolean;
}

/** A session whose open transaction may keep the NOTIFY queue from being emptied, if it listens. */
export interface QueueHolder {
  pid: number;
  database: string;
  user: string;
  application: string;
  /** When its transaction began, ISO 8601. */
  since: string;
}

/** The being that a token stands for, and what it says, as JSON with `being` in it; null: nobody in particular. */
export type Claims = { readonly being: string; readonly json: string } | null;

/** Claims for sync.authorize(): nobody in particular is SQL's null, which a policy can ask for. */
function claimsJson(claims: Claims): string | null {
  return claims?.json ?? null;
}

/** What a write says beside the action and the ID. */
export interface Write {
  spaceId?: string | undefined;
  body?: string;
  given?: { locationId?: string };
  /** Spaces that take no writes for now. */
  fullSpaces?: string[];
}

/** One typed method for each SQL function that the relay calls. */
export class Database extends Pool {
  readonly largeReads = new LargeReads();

  /** This incarnation of the data. */
  async epoch(): Promise<string> {
    const rows = await this.query<{ epoch: string }>("epoch", "select sync.epoch() as epoch", []);
    return (rows[0] as { epoch: string }).epoch;
  }

  /** A row by its ID, of this space if one is given. Throws `not_found` and `forbidden`. */
  get(claims: Claims, type: EntityType, id: string, spaceId: string | undefined): Promise<Page> {
    return this.#read(claims, type, id, spaceId);
  }

  /**
   * The beings of a space, or the newest `limit` of its messages, or of those before a message; oldest first. Once for
   * all who ask the same, a few at a time. Throws `not_found` and `forbidden`.
   */
  list(claims: Claims, type: EntityType, spaceId: string, limit?: number, before?: string): Promise<Page> {
    return this.largeReads.read([type, claims, spaceId, limit, before], () =>
      this.#read(claims, type, null, spaceId, limit, before),
    );
  }

  async #read(claims: Claims, type: EntityType, ...which: (string | number | null | undefined)[]) {
    const [id, spaceId, limit, before] = which;
    const rows = await this.query<{ json: string; version: string | null; hasMore: boolean | null }>(
      "read",
      `select data::text as json, version, has_more as "hasMore" from sync.read($1, $2, $3, $4, $5, $6)`,
      [claimsJson(claims), type, id, spaceId ?? null, limit ?? null, before ?? null],
    );
    return asNumbers(rows[0] as (typeof rows)[0]);
  }

  /**
   * Creates, updates or deletes a row, of this space if one is given, and returns it as it is, or was. `body` is the
   * request's JSON text: Postgres takes the fields from its `data`, digit for digit; `given` beats them. Throws what
   * sync.write() says.
   */
  async write(
    claims: Claims,
    action: "create" | "update" | "delete",
    type: EntityType,
    id: string,
    { spaceId, body = "{}", given = {}, fullSpaces = [] }: Write,
  ): Promise<Stored> {
    const rows = await this.query<{ json: string; spaceId: string | null; version: string | null }>(
      `${action} ${type}`,
      `select data::text as json, in_space as "spaceId", version
       from sync.write($1, $2, $3, $4, $5, coalesce($6::jsonb -> 'data', '{}') || $7::jsonb, $8)`,
      [claimsJson(claims), action, type, id, spaceId ?? null, body, JSON.stringify(given), fullSpaces],
    );
    return asNumbers(rows[0] as (typeof rows)[0]);
  }

  /** Lets many newcomers in at once: the answers are in the order of the questions. Null: there is no such space. */
  async open(questions: readonly OpeningQuestion[]): Promise<(Opening | null | SpacefeedError)[]> {
    const rows = await this.query<{
      cursor: string | null;
      since: string | null;
      refusal: string | null;
      reason: string;
    }>("open", "select cursor, since, refusal, reason from sync.open($1, $2, $3)", [
      questions.map(({ claims }) => claimsJson(claims)),
      questions.map(({ spaceId }) => spaceId),
      questions.map(({ since }) => since),
    ]);
    return rows.map(({ cursor, since, refusal, reason }) => {
      if (refusal !== null) return refusalError(refusal, reason);
      return cursor === null
        ? null
        : { ...parseCursor(cursor), since: since === null ? null : Number(since) };
    });
  }

  /** A space with its newest `limit` messages, as a space-sync event, or as a state of these types; null when there is no such space. */
  async snapshot(
    spaceId: string,
    limit: number,
    types: readonly string[] | null = null,
  ): Promise<Snapshot | null> {
    const rows = await this.query<{ cursor: string; json: string }>(
      "snapshot",
      "select cursor, state as json from sync.state($1, $2, $3)",
      [spaceId, limit, types],
    );
    return rows[0] ? { ...parseCursor(rows[0].cursor), json: rows[0].json } : null;
  }

  /** What happened in many spaces, each since a version, in one snapshot of the database. */
  async changesSince(spaceIds: string[], versions: number[], max: number): Promise<Changes[]> {
    // The driver reads an array character by character: 0.14 s for a message of 1 MB. No JSON has a raw
    // record separator in it.
    const rows = await this.query<
      Pick<Changes, "spaceId" | "change"> & {
        since: string;
        cursor: string;
        events: string | null;
        types: string[] | null;
      }
    >(
      "changes_since",
      `select space_id as "spaceId", since, cursor, array_to_string(events, chr(30)) as events, types, change
       from sync.changes_since($1, $2, $3)`,
      [spaceIds, versions, max],
    );
    return rows.map(({ since, cursor, events, types, ...row }) => ({
      ...row,
      ...parseCursor(cursor),
      since: Number(since),
      events: events === "" ? [] : (events?.split("\x1e") ?? null),
      types: types ?? [],
    }));
  }

  /**
   * The relay's sign of life: whether commits have notified until now. `records`: it records for everybody, or no
   * longer; null says nothing of it.
   */
  async relaySeen(records: boolean | null): Promise<boolean> {
    const rows = await this.query<{ wasHeard: boolean }>(
      "relay_seen",
      `select sync.relay_seen($1) as "wasHeard"`,
      [records],
    );
    return rows[0]?.wasHeard ?? false;
  }

  /** Makes this session the recorder: true if no other one is. Or ends that. */
  async lead(wanted: boolean): Promise<boolean> {
    const rows = await this.query<{ leads: boolean }>("lead", "select sync.lead($1) as leads", [wanted]);
    return rows[0]?.leads ?? false;
  }

  /** A new xid: every transaction that had its own before has a lower one. */
  async drawXid(): Promise<bigint> {
    const rows = await this.query<{ xid: string }>("draw_xid", "select pg_current_xact_id() as xid", []);
    return BigInt((rows[0] as { xid: string }).xid);
  }

  /** Turns committed notes into versions: those that a snapshot does not show, or all. Not of the spaces `apart`. */
  async record(seen: string | undefined, apart: string[], maxNotes: number): Promise<Recorded> {
    const rows = await this.query<
      Omit<Recorded, "oldestOpen" | "filed"> & { oldestOpen: string; filed: string }
    >(
      "record",
      `select now_seen as seen, coalesce(pg_snapshot_xmin(now_seen), '0') as "oldestOpen", filed, is_more as "isMore",
              left_behind as "leftBehind", failed, reason
       from sync.record($1, $2, $3)`,
      [seen ?? null, apart, maxNotes],
    );
    const row = rows[0] as (typeof rows)[0];
    return { ...row, oldestOpen: BigInt(row.oldestOpen), filed: Number(row.filed) };
  }

  /** Records these spaces, if that is not done, and tells their versions. */
  async reach(spaceIds: string[]): Promise<Reached[]> {
    const rows = await this.query<Omit<Reached, "version"> & { version: string | null }>(
      "reach",
      `select space_id as "spaceId", version, is_pending as "isPending" from sync.reach($1)`,
      [spaceIds],
    );
    return rows.map((row) => ({ ...row, version: row.version === null ? null : Number(row.version) }));
  }

  /** How full the cluster's NOTIFY queue is, 0 to 1, and whose transactions are the oldest, as far as we may see. */
  async notifyQueue(): Promise<{ usage: number; holders: QueueHolder[] }> {
    const rows = await this.query<{ usage: number; holders: QueueHolder[] }>(
      "notify_queue",
      "select usage, holders from sync.notify_queue()",
      [],
    );
    return rows[0] as { usage: number; holders: QueueHolder[] };
  }

  /** The quiet troubles of the database, each with what to run. */
  warnings(): Promise<{ message: string; remedy: string }[]> {
    return this.query("warnings", "select message, remedy from sync.warnings()", []);
  }

  /** Whether the server would let a query of ours run for ever. */
  async isUnlimited(): Promise<boolean> {
    const rows = await this.query<{ unlimited: boolean }>(
      "statement_timeout",
      "select current_setting('statement_timeout') = '0' as unlimited",
      [],
    );
    return rows[0]?.unlimited ?? false;
  }
}

/** Splits what SQL calls a cursor: the one place that does. */
function parseCursor(cursor: string): Cursor {
  const [epoch, version] = cursor.split(".") as [string, string];
  return { epoch, version: Number(version) };
}

function asNumbers<T extends { version: string | null }>(
  row: T,
): Omit<T, "version"> & { version: number | null } {
  return { ...row, version: row.version === null ? null : Number(row.version) };
}
