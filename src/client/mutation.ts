import type { Being, Intention } from "../protocol/messages.js";
import type { BeingRequest, IntentionRequest } from "../protocol/requests.js";
import { epochOf, type Replica } from "./replica.js";

/** The fields of a being that a client may set. */
export type BeingFields = NonNullable<Extract<BeingRequest, { action: "create" }>["data"]>;
/** The fields of a message that a client may set. */
export interface IntentionFields<Content = unknown>
  extends Omit<NonNullable<Extract<IntentionRequest, { action: "create" }>["data"]>, "content"> {
  content?: Content[] | undefined;
}

/** A change that this client makes. It shows at once, and is sent as often as it takes. */
export type Mutation = BeingMutation | IntentionMutation;
export type BeingMutation = Change & { readonly kind: "being"; readonly fields: BeingFields };
export type IntentionMutation = Change & { readonly kind: "intention"; readonly fields: IntentionFields };

interface Change {
  /** Names the change, not the entity. */
  readonly key: string;
  readonly action: "create" | "update" | "delete";
  readonly id: string;
  /** When it was made, by the clock of this client. ISO 8601. */
  readonly at: string;
  /** Set when the server has stored it. */
  readonly answer?: Answer;
}

export interface Answer {
  readonly row: Being | Intention;
  /** The version of the client's space at or after the change, also when the row has left it. */
  readonly version: number | null;
  /** The epoch of the version: the cursor of the replica at that time. */
  readonly cursor: string | null;
}

/** An ID that nobody else has. Also where a page is not a secure context, and `crypto` has less to offer. */
export function newId(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}

/** The fields that say something: JSON leaves the others out, and so does the server. */
export function defined<Fields extends object>(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}

/** The beings and messages with the client's changes on top, and the IDs of what is not stored yet. */
export function overlay(
  replica: Pick<Replica, "beings" | "intentions">,
  mutations: readonly Mutation[],
  spaceId: string,
) {
  const beings = new Map(replica.beings.map((being) => [being.id, being]));
  const intentions = new Map(replica.intentions.map((intention) => [intention.id, intention]));
  const pendingIds = new Set<string>();
  for (const mutation of mutations) {
    if (!mutation.answer) pendingIds.add(mutation.id);
    // One that is made is behind all others, whatever the clock here says, until the server has given it its place.
    if (mutation.kind === "being") change(beings, mutation, spaceId);
    else change(intentions, mutation, spaceId);
  }
  return { beings: [...beings.values()], intentions: [...intentions.values()], pendingIds };
}

/** The mutations that still have to be shown: those that are not stored, or not in the replica yet. */
export function unsettled(mutations: readonly Mutation[], replica: Replica): readonly Mutation[] {
  const left = mutations.filter(({ answer }) => !answer || !isReached(replica, answer));
  return left.length === mutations.length ? mutations : left;
}

function isReached(replica: Replica, { version, cursor }: Answer): boolean {
  if (cursor !== null && epochOf(cursor) !== epochOf(replica.cursor)) return true;
  return version === null || replica.version >= version;
}

function change<T extends Being | Intention>(entities: Map<string, T>, mutation: Mutation, spaceId: string) {
  const { id, action, answer, fields } = mutation;
  const there = entities.get(id);
  const { locationId = spaceId } = answer ? answer.row : fields;
  if (action === "delete" || locationId !== spaceId) entities.delete(id);
  else if (answer && (there || action === "create")) entities.set(id, answer.row as T);
  else if (action === (there ? "update" : "create")) entities.set(id, predicted(mutation, there, spaceId));
}

// The same object for the same change of the same row, so that a row that waits is not shown anew.
const predictions = new WeakMap<Mutation, { from: unknown; row: unknown }>();

/** The row as the database will store it, as far as that is known here. */
function predicted<T>(mutation: Mutation, from: T | undefined, spaceId: string): T {
  const known = predictions.get(mutation);
  if (known && known.from === from) return known.row as T;
  const { kind, id, at, fields } = mutation;
  const blank = { ...DEFAULTS[kind], id, locationId: spaceId, createdAt: at, modifiedAt: at };
  const row = { ...(from ?? blank), ...defined(fields) };
  predictions.set(mutation, { from, row });
  return row as T;
}

const EVERY = { name: "", ownerId: null, content: [] };
const DEFAULTS = {
  being: { ...EVERY, type: "guest", metadata: {}, properties: {} },
  /** Its `messageId` is empty until the database has named it. */
  intention: { ...EVERY, messageId: "", type: "utterance", state: "complete" },
} as const;
