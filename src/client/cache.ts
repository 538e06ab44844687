import type { Being, Intention } from "../protocol/messages.js";
import { NO_ROWS } from "./lists.js";
import type { Replica } from "./replica.js";

const caches = { being: new Map<string, Being>(), intention: new Map<string, Intention>() };

/** Every being that a client of this page has, as the server last said it. By ID. */
export const beingCache: ReadonlyMap<string, Being> = caches.being;
/** Every message that a client of this page has, as the server last said it. By ID. */
export const intentionCache: ReadonlyMap<string, Intention> = caches.intention;

/** A being that some client of this page has; also after the client was closed. Takes less than 1 ms. */
export function getCachedBeing(id: string): Being | undefined {
  return beingCache.get(id);
}

/** A message that some client of this page has; also after the client was closed. Takes less than 1 ms. */
export function getCachedIntention<Content = unknown>(id: string): Intention<Content> | undefined {
  return intentionCache.get(id) as Intention<Content> | undefined;
}

/** Entities that are kept at most, of each kind: the oldest go first. */
const MOST = 50_000;

/** Takes over what a client has got. What has left its space goes, unless another space has it now. */
export function remember(before: Replica | null, now: Replica): void {
  const known = before?.lists ?? NO_ROWS;
  for (const type of ["being", "intention"] as const) update(caches[type], known[type], now.lists[type]);
}

type Cached = Being | Intention;

function update(cache: Map<string, Cached>, before: readonly Cached[], now: readonly Cached[]): void {
  if (before === now) return;
  const left = new Map(before.map((entity) => [entity.id, entity]));
  for (const entity of now) {
    const isNew = left.get(entity.id) !== entity;
    left.delete(entity.id);
    if (isNew && !isOutdated(entity, cache.get(entity.id))) cache.set(entity.id, entity);
  }
  for (const { id, locationId } of left.values()) {
    if (cache.get(id)?.locationId === locationId) cache.delete(id);
  }
  for (const id of cache.keys()) {
    if (cache.size <= MOST) break;
    cache.delete(id);
  }
}

/** What one space says of a row that has moved on to another one, which was heard of first. */
function isOutdated({ locationId, modifiedAt }: Cached, cached: Cached | undefined): boolean {
  return cached !== undefined && cached.locationId !== locationId && cached.modifiedAt > modifiedAt;
}
