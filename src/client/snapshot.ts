import type { Being, Intention } from "../protocol/messages.js";

/**
 * How the data comes, best first: `realtime` over a stream; `polling` every 5 s, while the stream is retried;
 * `cache`, when the network is away: the last known data, if there is any.
 */
export type Mode = "realtime" | "polling" | "cache";

/** A space at one version. */
export interface SpaceData {
  /** The space's version, as the database counts it. */
  readonly version: number;
  readonly beings: readonly Being[];
  /** The newest messages, oldest first; more with `loadOlder`. */
  readonly intentions: readonly Intention[];
  /** When the server said so, ISO 8601. */
  readonly timestamp: string;
}

/**
 * What a client shows, at one moment. Immutable: a being, a message or a list that did not change is the same
 * object as before. The client's own changes are in it at once, before the server has them.
 */
export interface SpaceSnapshot {
  readonly spaceId: string;
  /** Null until something is known of the space. */
  readonly data: SpaceData | null;
  readonly beings: readonly Being[];
  readonly intentions: readonly Intention[];
  /** The IDs of `intentions`: the same array while messages only change. */
  readonly intentionIds: readonly string[];
  /** Guests, bots and spaces. Who belongs here, not who looks at it now. */
  readonly onlineBeings: readonly Being[];
  /** The messages that somebody said: those of type `utterance`. */
  readonly utterances: readonly Intention[];
  readonly mode: Mode;
  /** True in realtime: then there is data. */
  readonly connected: boolean;
  /** Why a change was refused, or what is wrong with the line; null when all is well. */
  readonly error: string | null;
  /** There are older messages than those in `intentions`. */
  readonly hasMore: boolean;
  /** Beings and messages of which a change has not reached the server yet. */
  readonly pendingIds: ReadonlySet<string>;
}
