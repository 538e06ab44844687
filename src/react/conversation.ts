import { type Being, getCachedBeing, type Intention, type SpaceSnapshot } from "../client/index.js";
import { rowOf } from "../client/lists.js";
import type { ChatLabels } from "./chat-labels.js";

/** Messages of one owner that are further apart are two groups. */
const GROUP_MS = 5 * 60_000;

/** Whether a message begins a group: it has another owner than the one before it, or comes much later. */
export function beginsGroup(previous: Intention | undefined, message: Intention | undefined): boolean {
  if (!previous || !message) return true;
  const pause = Date.parse(message.createdAt) - Date.parse(previous.createdAt);
  return previous.ownerId !== message.ownerId || pause > GROUP_MS;
}

export function messageOf({ entities }: SpaceSnapshot, id: string | undefined): Intention | undefined {
  return id === undefined ? undefined : (rowOf(entities, "intention", id) as Intention | undefined);
}

/** An owner's name, of the space's beings. */
export function ownerName({ entities }: SpaceSnapshot, ownerId: string | null): string | undefined {
  return ownerId === null ? undefined : (rowOf(entities, "being", ownerId) as Being | undefined)?.name;
}

/** An owner's name, of any that this page has seen. */
export function cachedName(ownerId: string | null): string | undefined {
  return ownerId === null ? undefined : getCachedBeing(ownerId)?.name;
}

/** The messages that have come since `known` was all there was. What stands before those is older. */
export function comeSince(known: ReadonlySet<string>, ids: readonly string[]): string[] {
  const first = ids.findIndex((id) => known.has(id));
  return ids.slice(first + 1).filter((id) => !known.has(id));
}

/** What is to be said of a message that is not as most are. */
export function statusOf({ type, state }: Intention, labels: ChatLabels, isPending = false): string[] {
  const states = state === "complete" ? "" : labels.states[state];
  return [type === "error" ? labels.error : "", states, isPending ? labels.pending : ""].filter(Boolean);
}

/** What a part of a message's content says: a text as it is, an object's `text`, anything else as JSON. */
export function textOfPart(part: unknown): string {
  if (typeof part === "string") return part;
  if (typeof part === "object" && part !== null && "text" in part && typeof part.text === "string") {
    return part.text;
  }
  return JSON.stringify(part);
}
