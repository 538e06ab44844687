import type { Being, Entity, Intention } from "../protocol/messages.js";
import type { Problem } from "./problem.js";
import type { RowProblem } from "./schema.js";

/**
 * How the data comes: `opening`, nothing is known yet; `realtime` over a stream; `polling` every 5 s, while the stream
 * is retried; `cache`, the last known data, while the network is away or has said nothing yet.
 */
export type Mode = "opening" | "realtime" | "polling" | "cache";

/** A space at one version. */
export interface SpaceData<Content = unknown> {
  /** The space's version, as the database counts it. */
  readonly version: number;
  readonly beings: readonly Being[];
  /** The newest messages, oldest first; more with `loadOlder`. */
  readonly intentions: readonly Intention<Content>[];
  /** When the server said so, ISO 8601. */
  readonly timestamp: string;
}

/**
 * What a client shows, at one moment. Immutable: a being, a message or a list that did not change is the same
 * object as before. The client's own changes are in it at once, before the server has them.
 */
export interface SpaceSnapshot<Content = unknown> {
  readonly spaceId: string;
  /** Null until something is known of the space. */
  readonly data: SpaceData<Content> | null;
  readonly beings: readonly Being[];
  readonly intentions: readonly Intention<Content>[];
  /** The IDs of `intentions`: the same array while messages only change. */
  readonly intentionIds: readonly string[];
  /** All rows, by type: those of tracked tables, sorted by `id`, as well as `being` and `intention`. See `getEntities`. */
  readonly entities: Readonly<Record<string, readonly Entity[]>>;
  /** Guests, bots and spaces that belong here, whether or not they look at it now. */
  readonly onlineBeings: readonly Being[];
  /** The messages of type `utterance`. */
  readonly utterances: readonly Intention<Content>[];
  readonly mode: Mode;
  /** True in realtime: then there is data. */
  readonly connected: boolean;
  /** Why the last change was refused, or a question found no answer; null when that is dismissed. */
  readonly error: Problem | null;
  /**
   * What is wrong with the connection, so that the data may be of before; or why a change has waited for 5 s. Null when all
   * is well. It goes by itself.
   */
  readonly fault: Problem | null;
  /** The rows that `schemas` refuse: they are here, and in none of the lists. */
  readonly problems: readonly RowProblem[];
  /** There are older messages than those in `intentions`. */
  readonly hasMore: boolean;
  /** The IDs of rows of which a change has not reached the server yet. */
  readonly pendingIds: ReadonlySet<string>;
}
