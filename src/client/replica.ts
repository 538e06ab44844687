import type { Being, Intention, SpaceState, SyncEvent } from "../protocol/messages.js";
import { byAge, byPosition, type Position } from "./order.js";

/** The last event of a group has the version that the group builds on, and the cursor after it. */
export type Group = readonly SyncEvent[];
/** What replaces a replica: a space-sync, a polled state, or a replica that was kept. */
export type State = Omit<SpaceState, "spaceId" | "changeInfo">;

/** What the server has said of a space so far, at one version. Immutable. */
export interface Replica {
  readonly version: number;
  readonly cursor: string;
  readonly timestamp: string;
  readonly beings: readonly Being[];
  /** All messages from `oldest` on, oldest first. */
  readonly intentions: readonly Intention[];
  /** There may be messages before `oldest`. What happens to those is none of this replica's business. */
  readonly hasMore: boolean;
  readonly oldest: Position | null;
  /** Another number each time that the messages do not continue those of before. */
  readonly window: number;
  /** Changes of messages before `oldest`, while a page of these is on its way; a deletion is null. */
  readonly unseen: ReadonlyMap<string, Intention | null> | null;
}

/**
 * What to do with a group: apply it; nothing, its changes are known (P2); or there is a gap, and the replica
 * has to be caught up from its own cursor (P3).
 */
export function judge(replica: Replica | null, group: Group): "apply" | "known" | "gap" {
  const last = group.at(-1);
  if (!last?.cursor) return "gap";
  if (last.type === "space-sync") return isKnown(replica, last) ? "known" : "apply";
  if (!replica || epochOf(last.cursor) !== epochOf(replica.cursor)) return "gap";
  if (last.version <= replica.version) return "known";
  return last.prev === replica.version ? "apply" : "gap";
}

/** Whether a state says nothing new. Versions of another epoch do not compare (P11). */
export function isKnown(replica: Replica | null, state: Pick<State, "version" | "cursor">): boolean {
  if (!replica || epochOf(state.cursor) !== epochOf(replica.cursor)) return false;
  return state.version <= replica.version;
}

/** Replaces everything. What did not change stays the same object. */
export function replace(replica: Replica | null, state: State): Replica {
  const intentions = keep(replica?.intentions ?? [], state.intentions ?? []);
  return {
    version: state.version,
    cursor: state.cursor,
    timestamp: state.timestamp,
    beings: keep(replica?.beings ?? [], state.beings ?? []),
    intentions,
    hasMore: state.hasMore,
    oldest: intentions[0] ?? null,
    window: (replica?.window ?? 0) + 1,
    unseen: null,
  };
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
  const last = group.at(-1) as SyncEvent;
  if (last.type === "space-sync") return replace(replica, last);
  const before = replica as Replica;
  const beings = new Map<string, Being | null>();
  const intentions = new Map<string, Intention | null>();
  for (const event of group) {
    if (event.type === "being-created" || event.type === "being-updated")
      beings.set(event.data.id, event.data);
    else if (event.type === "being-deleted") beings.set(event.id, null);
    else if (event.type === "intention-created" || event.type === "intention-updated")
      intentions.set(event.data.id, event.data);
    else if (event.type === "intention-deleted") intentions.set(event.id, null);
  }
  const unseen = before.unseen && new Map([...before.unseen, ...intentions]);
  for (const [id, intention] of intentions) {
    if (intention && isBefore(before, intention)) intentions.set(id, null);
  }
  return {
    ...before,
    version: last.version,
    cursor: last.cursor as string,
    timestamp,
    beings: merge(before.beings, beings, byAge),
    intentions: merge(before.intentions, intentions, byPosition),
    unseen,
  };
}

/** From here on, changes of older messages are noted: a page that is being read may not have them yet. */
export function awaitOlder(replica: Replica): Replica {
  return { ...replica, unseen: replica.unseen ?? new Map() };
}

/** The page will not come. */
export function forgetOlder(replica: Replica): Replica {
  return { ...replica, unseen: null };
}

/** Puts a page of older messages before the others. A page that was asked of another window is none. */
export function prepend(
  replica: Replica,
  page: readonly Intention[],
  hasMore: boolean,
  window: number,
): Replica {
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
  for (const { id } of replica.intentions) if (!replica.unseen?.has(id)) changed.delete(id);
  return { ...older, intentions: merge(replica.intentions, changed, byPosition) };
}

/** A replica as a state, with the newest messages only: to be kept, or handed to another tab. */
export function stateFrom(replica: Replica, messages = replica.intentions.length): State {
  const { version, cursor, timestamp, beings, intentions, hasMore } = replica;
  return {
    version,
    cursor,
    timestamp,
    beings: [...beings],
    intentions: intentions.slice(Math.max(0, intentions.length - messages)),
    hasMore: hasMore || intentions.length > messages,
  };
}

function isBefore(replica: Pick<Replica, "hasMore" | "oldest">, intention: Intention): boolean {
  return replica.hasMore && replica.oldest !== null && byPosition(intention, replica.oldest) < 0;
}

/** The history that a cursor belongs to: `<epoch>.<version>`. */
export function epochOf(cursor: string): string {
  return cursor.slice(0, cursor.lastIndexOf("."));
}

/** Takes the objects of before where they are the same, so that there is nothing to render for them. */
function keep<T extends { id: string }>(before: readonly T[], now: readonly T[]): readonly T[] {
  const known = new Map(before.map((entity) => [entity.id, entity]));
  const kept = now.map((entity) => {
    const old = known.get(entity.id);
    return old && JSON.stringify(old) === JSON.stringify(entity) ? old : entity;
  });
  return kept.length === before.length && kept.every((entity, index) => entity === before[index])
    ? before
    : kept;
}

function merge<T extends { id: string }>(
  list: readonly T[],
  changed: ReadonlyMap<string, T | null>,
  order: (a: T, b: T) => number,
): readonly T[] {
  if (changed.size === 0) return list;
  const rest = new Map(changed);
  const merged: T[] = [];
  for (const entity of list) {
    const now = rest.get(entity.id);
    rest.delete(entity.id);
    if (now === undefined) merged.push(entity);
    else if (now !== null) merged.push(now);
  }
  for (const entity of rest.values()) if (entity !== null) merged.push(entity);
  return merged.sort(order);
}
