import type { ErrorCode, SpacefeedError } from "../protocol/errors.js";

/** Something that is wrong. */
export interface Trouble {
  /** For programs. */
  readonly code: ErrorCode;
  /** For people: the fault, and the next step. */
  readonly message: string;
  /** ISO 8601, by the clock of this client. */
  readonly since: string;
}

/** What an error says to who looks. One that is none of ours is the line's. */
export function troubleOf(error: unknown, since = new Date().toISOString()): Trouble {
  const { code = "unavailable", message } = error as Pick<SpacefeedError, "message"> &
    Partial<SpacefeedError>;
  return { code, message, since };
}
