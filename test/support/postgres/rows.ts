import type { BeingFields, IntentionFields, Mutation, Stored } from "../../../src/client/mutation.js";
import type { Group, State } from "../../../src/client/replica.js";
import type { Being, Entity, EntityEvent, Intention, SyncEvent } from "../../../src/protocol/messages.js";

/** An instant as the wire has it: `seconds` after the beginning of 2026. */
export function instant(seconds: number): string {
  return `${new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString().slice(0, -1)}000Z`;
}

/** The message `msg_<n>`, said in the n-th second, in space "here". */
export function messageOf(n: number, more: Partial<Intention> = {}): Intention {
  return {
    id: `m${n}`,
    messageId: `msg_${n}`,
    name: "",
    type: "utterance",
    state: "complete",
    ownerId: null,
    locationId: "here",
    content: [],
    createdAt: instant(n),
    modifiedAt: instant(n),
    ...more,
  };
}

/** The messages `msg_<first>` to `msg_<last>`. */
export function messagesOf(first: number, last: number): Intention[] {
  return Array.from({ length: last - first + 1 }, (_, index) => messageOf(first + index));
}

/** A guest, in space "here". */
export function beingOf(id: string, more: Partial<Being> = {}): Being {
  return {
    id,
    name: "",
    type: "guest",
    ownerId: null,
    locationId: "here",
    metadata: {},
    properties: {},
    content: [],
    createdAt: instant(0),
    modifiedAt: instant(0),
    ...more,
  };
}

/** The state of a space at a version of epoch "e". */
export function stateOf(version: number, more: Partial<State> = {}): State {
  const cursor = `e.${version}`;
  return {
    version,
    cursor,
    timestamp: instant(version),
    beings: [],
    intentions: [],
    entities: {},
    hasMore: false,
    ...more,
  };
}

/** The same as an event. */
export function spaceSyncOf(version: number, more: Partial<State> = {}): SyncEvent {
  const { beings = [], intentions = [], ...state } = stateOf(version, more);
  const lastMessageId = intentions.at(-1)?.messageId ?? null;
  return { type: "space-sync", spaceId: "here", beings, intentions, lastMessageId, ...state };
}

/** A change without its version: that is its group's to say. */
export type Draft = (version: number) => Exclude<SyncEvent, { type: "space-sync" }> | EntityEvent;

export const created =
  (data: Intention): Draft =>
  (version) => ({ type: "intention-created", messageId: data.messageId, version, data });
export const updated =
  (data: Intention): Draft =>
  (version) => ({ type: "intention-updated", messageId: data.messageId, version, data });
export const deleted =
  ({ id, messageId }: Intention): Draft =>
  (version) => ({ type: "intention-deleted", messageId, version, id });
export const joined =
  (data: Being): Draft =>
  (version) => ({ type: "being-created", version, data });
export const changed =
  (data: Being): Draft =>
  (version) => ({ type: "being-updated", version, data });
export const left =
  ({ id }: Being): Draft =>
  (version) => ({ type: "being-deleted", version, id });

/** A row of a tracked table is created, updated or deleted. */
export const tracked =
  (type: `${string}-${"created" | "updated" | "deleted"}`, data: Entity): Draft =>
  (version) => ({ type, id: data.id, version, ...(!type.endsWith("-deleted") && { data }) });

/** A group that takes who is at `prev` to `version`: only its last event says so. */
export function groupOf(prev: number, version: number, ...drafts: Draft[]): Group {
  const events = drafts.map((draft) => draft(version));
  const last = events.pop();
  return last ? [...events, { ...last, prev, cursor: `e.${version}` }] : [];
}

let made = 0;

/** A change of a message, not answered yet. */
export function saying(action: Mutation["action"], id: string, fields: IntentionFields = {}): Mutation {
  return { kind: "intention", action, id, fields, key: `k${++made}`, at: instant(9_999) };
}

/** A change of a being, not answered yet. */
export function making(action: Mutation["action"], id: string, fields: BeingFields = {}): Mutation {
  return { kind: "being", action, id, fields, key: `k${++made}`, at: instant(9_999) };
}

/** A change of a row of a tracked table, not answered yet. */
export function changing(
  kind: string,
  action: Mutation["action"],
  id: string,
  fields: object = {},
): Mutation {
  return { kind, action, id, fields, key: `k${++made}`, at: instant(9_999) };
}

/** The same change, stored as this row at this version (of epoch "e" unless a cursor says otherwise). */
export function answered<M extends Mutation>(
  mutation: M,
  row: Stored,
  version: number | null,
  cursor: string | null = `e.${version}`,
): M {
  return { ...mutation, answer: { row, version, cursor } };
}
