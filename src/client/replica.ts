import type {
  AppendEvent,
  Entity,
  EntityEvent,
  Intention,
  SpaceState,
  SyncEvent,
} from "../protocol/messages.js";
import { appendTo } from "./append.js";
import { type Lists, mapLists, NO_ROWS, type Row, rowOf, rowsOf } from "./lists.js";
import { byPosition, orderOf, type Position, sorted } from "./order.js";

/** The last event of a group has the version that the group builds on, and the cursor after it. */
export type Group = readonly (SyncEvent | EntityEvent | AppendEvent)[];
/** What replaces a replica: a space-sync, a polled state, or a replica that was kept. */
export type State = Omit<SpaceState, "spaceId" | "changeInfo">;

/** What the server has said of a space so far, at one version. Immutable. */
export interface Replica {
  readonly version: number;
  readonly cursor: string;
  readonly timestamp: string;
  /** Of messages those from `oldest` on, oldest first. */
  readonly lists: Lists;
  /** There may be messages before `oldest`. What happens to those is none of this replica's business. */
  readonly hasMore: boolean;
  readonly oldest: Position | null;
  /** Another number each time that the messages do not continue those of before. */
  readonly window: number;
  /** Changes of messages before `oldest`, while a page of these is on its way; a deletion is null. */
  readonly unseen: ReadonlyMap<string, Intention | null> | null;
}

/** How far somebody is; with the rows, where they are known. */
export type Standing = Pick<Replica, "version" | "cursor"> & Partial<Replica>;

/**
 * What to do with a group: apply it; nothing, its changes are known (P2); or there is a gap, and the replica
 * has to be caught up from its own cursor (P3).
 */
export function judge(replica: Standing | null, group: Group): "apply" | "known" | "gap" {
  const last = group.at(-1);
  if (!last?.cursor) return "gap";
  if (isState(last)) return isKnown(replica, last) ? "known" : "apply";
  if (!replica || epochOf(last.cursor) !== epochOf(replica.cursor)) return "gap";
  if (last.version <= replica.version) return "known";
  if (last.prev !== replica.version) return "gap";
  // Only what came to a text may not fit.
  const hasAppends = group.some((event) => "path" in event);
  return hasAppends && replica.lists && !changesOf(replica as Replica, group) ? "gap" : "apply";
}

/** Whether a state says nothing new. Versions of another epoch do not compare (P11). */
export function isKnown(replica: Standing | null, state: Pick<State, "version" | "cursor">): boolean {
  if (!replica || epochOf(state.cursor) !== epochOf(replica.cursor)) return false;
  return state.version <= replica.version;
}

/** Replaces everything. What did not change stays the same object. */
export function replace(replica: Replica | null, state: State): Replica {
  const { beings = [], intentions = [], entities = {}, version, cursor, timestamp, hasMore } = state;
  const lists = mapLists({ ...entities, being: beings, intention: intentions }, (rows, type) =>
    reuse(rowsOf(replica?.lists ?? NO_ROWS, type), sorted(type, rows)),
  );
  const oldest = lists.intention[0] ?? null;
  const window = (replica?.window ?? 0) + 1;
  return { version, cursor, timestamp, lists, hasMore, oldest, window, unseen: null };
}

/** A state without the messages before the window, which were asked for to have it whole whatever is new. */
export function within(replica: Replica | null, state: State): State {
  const all = state.intentions ?? [];
  const intentions = replica ? all.filter((intention) => !isBefore(replica, intention)) : all;
  if (intentions.length === 0 || intentions.length === all.length) return state;
  return { ...state, intentions, hasMore: true };
}

/** Applies a group that {@link judge} lets in, as a whole (P5). `timestamp`: when it came. */
export function apply(replica: Replica | null, group: Group, timestamp: string): Replica {
  const last = group.at(-1) as Group[number];
  if (isState(last)) return replace(replica, last);
  const before = replica as Replica;
  const changes = changesOf(before, group) ?? new Map();
  const intentions = (changes.get("intention") ?? new Map()) as Map<string, Intention | null>;
  const unseen = before.unseen && new Map([...before.unseen, ...intentions]);
  for (const [id, intention] of intentions) {
    if (intention && isBefore(before, intention)) intentions.set(id, null);
  }
  const changed = [...changes].map(([type, rows]) => [type, merge(before.lists, type, rows)]);
  return {
    ...before,
    version: last.version,
    cursor: last.cursor as string,
    timestamp,
    lists: { ...before.lists, ...Object.fromEntries(changed) },
    unseen,
  };
}

type Changes = ReadonlyMap<string, Row | null>;

/**
 * What a group does to rows, by type and ID; null: deleted. An event that is not understood does nothing. Undefined where a
 * text does not fit to what came to it.
 */
function changesOf(replica: Replica, group: Group): Map<string, Map<string, Row | null>> | undefined {
  const changes = new Map<string, Map<string, Row | null>>();
  for (const event of group as readonly (Row & { type: string; data?: Row })[]) {
    const [, type, verb] = /^(\w+)-(created|updated|appended|deleted)$/.exec(event.type) ?? [];
    const { id } = verb === "created" || verb === "updated" ? (event.data ?? ({} as Row)) : event;
    if (!type || typeof id !== "string") continue;
    const rows = changes.get(type) ?? new Map<string, Row | null>();
    changes.set(type, rows);
    if (verb === "appended") {
      const row = rows.get(id) ?? rowOf(replica.lists, type, id);
      const grown = appendTo(row, event as unknown as AppendEvent);
      if (grown) rows.set(id, grown);
      // A message that is not loaded is none of this replica's business.
      else if (row || !replica.hasMore || replica.unseen || type !== "intention") return;
    } else rows.set(id, verb === "deleted" ? null : (event.data as Row));
  }
  return changes;
}

function isState(event: Group[number]): event is Extract<SyncEvent, { type: "space-sync" }> {
  return event.type === "space-sync";
}

/** From here on, changes of older messages are noted: a page that is being read may not have them yet. */
export function awaitOlder(replica: Replica): Replica {
  return { ...replica, unseen: replica.unseen ?? new Map() };
}

/** The page will not come. */
export function forgetOlder(replica: Replica): Replica {
  return { ...replica, unseen: null };
}

/** A page of older messages, as it was asked of a window. */
export interface OlderPage {
  page: readonly Intention[];
  hasMore: boolean;
  window: number;
}

/** Puts a page before the other messages. One that was asked of another window is none. */
export function prepend(replica: Replica, { page, hasMore, window }: OlderPage): Replica {
  if (window !== replica.window) return replica;
  const first = page[0];
  // A message that was given another time meanwhile may have the page begin within the window.
  const isOlder = first && (!replica.oldest || byPosition(first, replica.oldest) < 0);
  const older = { ...replica, hasMore, oldest: isOlder ? first : replica.oldest, unseen: null };
  const changed = new Map<string, Intention | null>(page.map((intention) => [intention.id, intention]));
  for (const [id, intention] of replica.unseen ?? []) {
    changed.set(id, intention && isBefore(older, intention) ? null : intention);
  }
  // A message that is here already is newer than the page's.
  for (const { id } of replica.lists.intention) if (!replica.unseen?.has(id)) changed.delete(id);
  const intention = merge(replica.lists, "intention", changed) as readonly Intention[];
  return { ...older, lists: { ...replica.lists, intention } };
}

/** A replica as a state, with the newest messages only: to be kept, or handed to another tab. */
export function stateFrom(replica: Replica, messages = replica.lists.intention.length): State {
  const { oldest, window, unseen, lists, ...state } = replica;
  const { being, intention, ...entities } = lists as Lists & Record<string, Entity[]>;
  const intentions = intention.slice(Math.max(0, intention.length - messages));
  const hasMore = state.hasMore || intentions.length < intention.length;
  return { ...state, beings: [...being], intentions, entities, hasMore };
}

function isBefore(replica: Pick<Replica, "hasMore" | "oldest">, intention: Intention): boolean {
  return replica.hasMore && replica.oldest !== null && byPosition(intention, replica.oldest) < 0;
}

/** The history that a cursor belongs to: `<epoch>.<version>`. */
export function epochOf(cursor: string): string {
  return cursor.slice(0, cursor.lastIndexOf("."));
}

export function standingOf(cursor: string | null): Standing | null {
  return cursor === null ? null : { cursor, version: Number(cursor.slice(cursor.lastIndexOf(".") + 1)) };
}

/** Whether there is more at a cursor than somebody knows. */
export function isBehind(known: Standing | null, cursor: string | null = null): boolean {
  const there = standingOf(cursor);
  return there !== null && !isKnown(known, there);
}

/** Takes the objects of before where they are the same, so that there is nothing to render for them. */
function reuse(before: readonly Row[], now: readonly Row[]): readonly Row[] {
  const known = new Map(before.map((row) => [row.id, row]));
  const kept = now.map((row) => {
    const old = known.get(row.id);
    return old && JSON.stringify(old) === JSON.stringify(row) ? old : row;
  });
  return kept.length === before.length && kept.every((row, index) => row === before[index]) ? before : kept;
}

function merge(lists: Lists, type: string, changed: Changes): readonly Row[] {
  const list = rowsOf<Row>(lists, type);
  if (changed.size === 0) return list;
  const rest = new Map(changed);
  const merged: Row[] = [];
  for (const row of list) {
    const now = rest.get(row.id);
    rest.delete(row.id);
    if (now === undefined) merged.push(row);
    else if (now !== null) merged.push(now);
  }
  for (const row of rest.values()) if (row !== null) merged.push(row);
  return merged.sort(orderOf(type));
}
