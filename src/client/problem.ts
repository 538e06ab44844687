import type { ErrorCode, SpacefeedError } from "../protocol/errors.js";

/** Something that is wrong: with the connection (`fault`), or with a change or a question (`error`). */
export interface Problem {
  /** For programs. */
  readonly code: ErrorCode;
  /** For people: the fault, and the next step. */
  readonly message: string;
  /** ISO 8601, by the clock of this client. */
  readonly since: string;
}

/** What an error says to people. One that is not ours is of the connection. */
export function problemOf(error: unknown, since = new Date().toISOString()): Problem {
  const { code = "unavailable", message } = error as Pick<SpacefeedError, "message"> &
    Partial<SpacefeedError>;
  return { code, message, since };
}
