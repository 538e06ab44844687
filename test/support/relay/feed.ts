import { expect } from "vitest";
import type { Row, Session } from "../postgres/session.js";

/** An event as the relay sends it. */
export interface FeedEvent {
  type: string;
  version: number;
  id?: string;
  messageId?: string;
  data?: Row & { id: string };
  prev?: number;
  cursor?: string;
}

/** A space's version; 0 before anything was in it. */
export async function versionOf(session: Session, spaceId: string): Promise<number> {
  const version = await session.value("select version::int from sync.spaces where space_id = $1", [spaceId]);
  return (version as number | undefined) ?? 0;
}

/** What is recorded of a space, one line an entity: "being a 1..3" (created_version..version, "gone" when deleted). */
export async function recordOf(session: Session, spaceId: string): Promise<unknown[]> {
  const rows = await session.query(
    `select concat_ws(' ', entity_type, entity_id, created_version || '..' || version,
       case when deleted_at is not null then 'gone' end) as line
     from sync.changes where space_id = $1 order by entity_type, entity_id collate "C"`,
    [spaceId],
  );
  return rows.map((row) => row.line);
}

/** The events after a version; null where only a snapshot will do. */
export async function eventsSince(
  session: Session,
  spaceId: string,
  since: number,
  max = 100,
): Promise<FeedEvent[] | null> {
  const [row] = await session.query("select events from sync.changes_since($1, $2, $3)", [
    [spaceId],
    [since],
    max,
  ]);
  const events = row?.events as string[] | null;
  return events?.map((event) => JSON.parse(event) as FeedEvent) ?? null;
}

/** Events in short: "being-created a", "intention-deleted m". */
export function inShort(events: FeedEvent[] | null): string[] | null {
  return events?.map((event) => `${event.type} ${event.data?.id ?? event.id}`) ?? null;
}

/** The faults that sync.verify() finds, in every space. */
export async function faults(session: Session): Promise<Row[]> {
  return session.query("select * from sync.verify()");
}

/** One turn of a relay, which has nothing left to record then. */
export async function recordAll(session: Session): Promise<void> {
  expect(await session.query("select is_more, left_behind, failed from sync.record()")).toEqual([
    { is_more: false, left_behind: [], failed: [] },
  ]);
}

/** Makes the table `raises`, with each raise of a version from then on. */
export const LOG_RAISES = [
  "create table raises (space_id text, was bigint, now bigint)",
  `create function log_raise() returns trigger language plpgsql as $$
   begin insert into public.raises values (new.space_id, old.version, new.version); return null; end $$`,
  `create trigger log_raise after update on sync.spaces for each row
   when (old.version is distinct from new.version) execute function log_raise()`,
];
