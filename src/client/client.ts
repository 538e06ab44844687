import type { Being, Intention, SpaceState } from "../protocol/messages.js";
import type { Entities, EntityFields, EntityOf, EntityType } from "./entities.js";
import type { BeingFields, IntentionFields } from "./mutation.js";
import type { Keep } from "./persistence.js";
import type { Schemas } from "./schema.js";
import type { SpaceSnapshot } from "./snapshot.js";

/** Why nothing is done any more. */
export const CLOSED = "the client is closed; this needs one that is open";

export interface SpaceClientOptions {
  spaceId: string;
  /** The relay, such as `https://sync.example.com`. Unless given: where the page comes from; Node needs it. */
  url?: string;
  /**
   * Sent with each request, such as an Authorization. A function is asked each time, so that it can bring a new token
   * when the one before has expired; a change that is refused with 401 waits for that.
   */
  headers?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>);
  /**
   * Keeps the last known state (the newest 200 messages), and the changes that wait to be sent, in IndexedDB. Unless
   * given: false. With `headers`, `tabs` has to say whose they are. Where there is no IndexedDB: `persistIn(storage)`.
   */
  persist?: boolean | ((space: string) => Keep);
  /**
   * The tabs of this browser share one stream. Unless given: true without `headers`, and false with them, since
   * tabs with different rights must not share what they read: then give a text that tells the users apart, such
   * as the user's ID.
   */
  tabs?: boolean | string;
  /** Instead of the global one. A fetch that does not stream leaves the client polling. */
  fetch?: typeof fetch;
  /** What `readSpace` has read of the space on a server: shown at once, and gone on from. */
  initialState?: SpaceState | null | undefined;
  /** Checks what is shown: see `defineSchemas`. */
  schemas?: Schemas;
  /** Where no page says so, as on a phone: tells what becomes of the app. Returns what ends that. */
  appState?: (tell: (what: AppState) => void) => () => void;
}

/**
 * `background`: the app is not looked at, and may be frozen, so that no connection is kept; `active`: it is back. `online`,
 * `offline`: the network has come, or gone.
 */
export type AppState = "active" | "background" | "online" | "offline";

/** One space, kept up to date. Close it when it is no longer needed. Its functions need no `this`. */
export interface SpaceClient<Content = unknown, Rows = Entities> {
  readonly spaceId: string;
  /** Calls the listener after each change of the snapshot. Returns what ends that. */
  subscribe(this: void, listener: () => void): () => void;
  getSnapshot(this: void): SpaceSnapshot<Content>;
  /** A being of this space, with the client's own changes; undefined when it is not here. */
  getBeing(this: void, id: string): Being | undefined;
  /** A message of this space, with the client's own changes; undefined when it is not here, or not loaded. */
  getIntention(this: void, id: string): Intention<Content> | undefined;
  /** The rows of a tracked table that are in this space, by `id`, likewise: the same array while none changes. */
  getEntities<R = never, T extends EntityType<Rows> = string>(
    this: void,
    type: T,
  ): readonly EntityOf<T, R, Rows>[];
  getEntity<R = never, T extends EntityType<Rows> = string>(
    this: void,
    type: T,
    id: string,
  ): EntityOf<T, R, Rows> | undefined;
  /** Asks the relay for the state now. Resolves when it is there, or when that did not work: see `error`. */
  refresh(this: void): Promise<void>;
  /**
   * Resolves when this client has that version of its space, whoever wrote it: at once where it has. Rejects with a
   * SpacefeedError when the client is closed (`unavailable`), and while there is no such space (`not_found`) or it may not be
   * read (`forbidden`); with the signal's reason after that: `AbortSignal.timeout(5_000)`.
   */
  waitFor(this: void, version: number, signal?: AbortSignal): Promise<void>;
  /** Loads the (at most 100) messages before the oldest. Resolves to whether there are older ones still; see `error`. */
  loadOlder(this: void): Promise<boolean>;
  /**
   * The changes show at once. Each promise resolves with the server's row when it is stored: from then on the snapshot
   * has that row, or what came after it. It rejects with a SpacefeedError, and the change is taken back, when it is
   * refused. Without a network they wait; see `fault`.
   */
  createBeing(this: void, fields?: BeingFields): Promise<Being>;
  updateBeing(this: void, id: string, fields: Omit<BeingFields, "id">): Promise<Being>;
  deleteBeing(this: void, id: string): Promise<Being>;
  createIntention(this: void, fields?: IntentionFields<Content>): Promise<Intention<Content>>;
  updateIntention(
    this: void,
    id: string,
    fields: Omit<IntentionFields<Content>, "id">,
  ): Promise<Intention<Content>>;
  deleteIntention(this: void, id: string): Promise<Intention<Content>>;
  /**
   * Of a tracked table that is writable. Without an `id` it is a UUID. A row that a change takes to another space is here
   * until the server has it there.
   */
  createEntity<T extends EntityType<Rows>>(
    this: void,
    type: T,
    fields?: EntityFields<T, Rows>,
  ): Promise<EntityOf<T, never, Rows>>;
  updateEntity<T extends EntityType<Rows>>(
    this: void,
    type: T,
    id: string,
    fields: Omit<EntityFields<T, Rows>, "id">,
  ): Promise<EntityOf<T, never, Rows>>;
  deleteEntity<T extends EntityType<Rows>>(
    this: void,
    type: T,
    id: string,
  ): Promise<EntityOf<T, never, Rows>>;
  /** Takes the error of a refused change off the snapshot. */
  dismissError(this: void): void;
  /** Ends all of it. Changes of before get one attempt more; later ones are rejected with `unavailable`. */
  close(this: void): void;
}
