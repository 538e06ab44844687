import type { BeingRequest, IntentionRequest } from "../protocol/requests.js";
import { isOurs, type Lists, type Row, rowsOf } from "./lists.js";
import { sorted } from "./order.js";
import { epochOf, type Replica } from "./replica.js";

/** The fields of a being that a client may set. */
export type BeingFields = NonNullable<Extract<BeingRequest, { action: "create" }>["data"]>;
/** The fields of a message that a client may set. */
export interface IntentionFields<Content = unknown>
  extends Omit<NonNullable<Extract<IntentionRequest, { action: "create" }>["data"]>, "content"> {
  content?: Content[] | undefined;
}

/** A change that this client makes. It shows at once, and is sent as often as it takes. */
export interface Mutation {
  /** Names the change, not the row. */
  readonly key: string;
  /** The type of the row. */
  readonly kind: string;
  readonly action: "create" | "update" | "delete";
  readonly id: string;
  readonly fields: { readonly locationId?: string | null | undefined };
  /** When it was made, by the clock of this client. ISO 8601. */
  readonly at: string;
  /** How the server has stored it. */
  readonly answer?: {
    readonly row: Stored;
    /** The version of the client's space at or after the change, also when the row has left it; null: unknown. */
    readonly version: number | null;
    /** The epoch of the version: the cursor of the replica at that time. */
    readonly cursor: string | null;
  };
}

/** A row as the server has it. Of beings and messages it says which space they are in. */
export type Stored = Row & Mutation["fields"];

/** A UUID. Also where `crypto` has none: in a page that is not a secure context, and on a phone. It is no secret. */
export function newId(): string {
  const digit = (place: string) =>
    Math.floor(place === "x" ? Math.random() * 16 : 8 + Math.random() * 4).toString(16);
  return globalThis.crypto?.randomUUID?.() ?? "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx".replace(/[xy]/g, digit);
}

/** The fields that say something: JSON leaves the others out, and so does the server. */
export function defined<Fields extends object>(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}

/** The rows with the client's changes on top, and the IDs of what is not stored yet. */
export function overlay(lists: Lists, mutations: readonly Mutation[], spaceId: string) {
  const changed = new Map<string, Map<string, Row>>();
  const pendingIds = new Set<string>();
  for (const mutation of mutations) {
    const { kind } = mutation;
    if (!mutation.answer) pendingIds.add(mutation.id);
    const rows = changed.get(kind) ?? new Map(rowsOf<Row>(lists, kind).map((row) => [row.id, row]));
    changed.set(kind, rows);
    change(rows, mutation, spaceId);
  }
  // One of ours that is made is behind all others, whatever the clock here says, until the server has given it its place.
  const shown = [...changed].map(([kind, rows]) => [kind, sorted(kind, rows.values())]);
  return { lists: { ...lists, ...Object.fromEntries(shown) } as Lists, pendingIds };
}

/** The mutations that still have to be shown: those that are not stored, or not in the replica yet. */
export function unsettled(mutations: readonly Mutation[], replica: Replica): readonly Mutation[] {
  const left = mutations.filter(({ answer }) => !answer || !isReached(replica, answer));
  return left.length === mutations.length ? mutations : left;
}

function isReached(replica: Replica, { version, cursor }: NonNullable<Mutation["answer"]>): boolean {
  if (cursor !== null && epochOf(cursor) !== epochOf(replica.cursor)) return true;
  return version === null || replica.version >= version;
}

function change(rows: Map<string, Row>, mutation: Mutation, spaceId: string): void {
  const { kind, id, action, answer, fields } = mutation;
  const there = rows.get(id);
  // Which space a row of a tracked table is in only the server knows: the event tells.
  const { locationId = spaceId } = isOurs(kind) ? (answer?.row ?? fields) : {};
  if (action === "delete" || locationId !== spaceId) rows.delete(id);
  else if (answer && (there || action === "create")) rows.set(id, answer.row);
  else if (action === (there ? "update" : "create")) rows.set(id, predicted(mutation, there, spaceId));
}

// The same object for the same change of the same row, so that a row that waits is not shown anew.
const predictions = new WeakMap<Mutation, { from: Row | undefined; row: Row }>();

/** The row as the database will store it, as far as that is known here. */
function predicted(mutation: Mutation, from: Row | undefined, spaceId: string): Row {
  const known = predictions.get(mutation);
  if (known && known.from === from) return known.row;
  const { kind, id, at, fields } = mutation;
  const blank = isOurs(kind) && { ...DEFAULTS[kind], locationId: spaceId, createdAt: at, modifiedAt: at };
  const row = { ...(from ?? { id, ...blank }), ...defined(fields) };
  predictions.set(mutation, { from, row });
  return row;
}

const EVERY = { name: "", ownerId: null, content: [] };
const DEFAULTS = {
  being: { ...EVERY, type: "guest", metadata: {}, properties: {} },
  /** Its `messageId` is empty until the database has named it. */
  intention: { ...EVERY, messageId: "", type: "utterance", state: "complete" },
};
