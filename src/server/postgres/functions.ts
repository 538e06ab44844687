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
  /** One JSON object: spaceId, version, cursor, timestamp, beings, intentions, lastMessageId, hasMore. */
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
export function claimsJson(claims: Claims): string | null {
  return claims?.json ?? null;
}

/** One typed method for each SQL function that the relay calls. */
export class Database extends Pool {
  readonly largeReads = new LargeReads();

  /** This incarnation of the data. */
  async epoch(): Promise<string> {
    const rows = await this.query<{ epoch: string }>("epoch", "select sync.epoch() as epoch", []);
    return (rows[0] as { epoch: string }).epoch;
  }

  /** The cursor of a space as it is now; null when there is no such space. */
  async currentCursor(spaceId: string): Promise<string | null> {
    const rows = await this.query<{ cursor: string | null }>(
      "current_cursor",
      "select sync.current_cursor($1) as cursor",
      [spaceId],
    );
    return rows[0]?.cursor ?? null;
  }

  /** Lets many newcomers in at once: the answers are in the order of the questions. */
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
      return cursor === null ? null : { ...parseCursor(cursor), since: since === null ? null : Number(since) };
    });
  }

  /** A space with its newest `limit` messages, or only these types of it; null when there is no such space. */
  async snapshot(
    spaceId: string,
    limit: number,
    types: readonly string[] = ["beings", "intentions"],
  ): Promise<Snapshot | null> {
    const rows = await this.query<{
      version: string;
      cursor: string;
      beings: string;
      intentions: string;
      last: string | null;
      more: boolean;
    }>(
      "snapshot",
      `select version, cursor, beings::text, intentions::text, last_message_id as last, has_more as more
       from sync.snapshot($1, $2)`,
      [spaceId, types.includes("intentions") ? limit : 0],
    );
    const row = rows[0];
    if (!row) return null;
    const json =
      `{"spaceId":${JSON.stringify(spaceId)},"version":${row.version},"cursor":"${row.cursor}",` +
      `"timestamp":"${new Date().toISOString()}",` +
      (types.includes("beings") ? `"beings":${row.beings},` : "") +
      (types.includes("intentions") ? `"intentions":${row.intentions},` : "") +
      `"lastMessageId":${JSON.stringify(row.last)},"hasMore":${types.includes("intentions") && row.more}}`;
    return { ...parseCursor(row.cursor), json };
  }

  /** What happened in many spaces, each since a version, in one snapshot of the database. */
  async changesSince(spaceIds: string[], versions: number[], max: number): Promise<Changes[]> {
    // The driver reads an array character by character: 0.14 s for a message of 1 MB. No JSON has a raw
    // record separator in it.
    const rows = await this.query<{
      spaceId: string;
      since: string;
      cursor: string;
      events: string | null;
    }>(
      "changes_since",
      `select space_id as "spaceId", since, cursor, array_to_string(events, chr(30)) as events
       from sync.changes_since($1, $2, $3)`,
      [spaceIds, versions, max],
    );
    return rows.map(({ spaceId, since, cursor, events: text }) => {
      const events = text === "" ? [] : (text?.split("\x1e") ?? null);
      const changes = (events ?? []).map(changeOf);
      return {
        ...parseCursor(cursor),
        spaceId,
        since: Number(since),
        events,
        types: [...new Set(changes.map(({ entityType }) => entityType))],
        change: changes.length === 1 ? JSON.stringify(changes[0]) : null,
      };
    });
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

function parseCursor(cursor: string): Cursor {
  const [epoch, version] = cursor.split(".") as [string, string];
  return { epoch, version: Number(version) };
}

function changeOf(json: string) {
  const event = JSON.parse(json) as { type: string; id?: string; data?: { id: string } };
  const [entityType, verb] = event.type.split("-") as [string, string];
  const type = verb === "created" ? "add" : verb === "updated" ? "update" : "delete";
  return { type, entityType, entityId: event.id ?? event.data?.id };
}
