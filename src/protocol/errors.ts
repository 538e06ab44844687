/** Every way in which Spacefeed says no. The HTTP status of each is in {@link STATUS}. */
export type ErrorCode =
  | "invalid"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "conflict"
  | "too_large"
  | "rate_limited"
  | "unavailable"
  | "internal"
  | "config";

/** The HTTP status that carries each code. `config` ends the process before HTTP is there. */
export const STATUS = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  rate_limited: 429,
  unavailable: 503,
  internal: 500,
  config: 500,
} as const satisfies Record<ErrorCode, number>;

/**
 * The one error class. `message` names the fault and the next step, and is fit to be shown to whoever
 * caused it; `cause` is for the log only and never leaves the server.
 */
export class SpacefeedError extends Error {
  readonly code: ErrorCode;
  /** Seconds after which it is worth to try again, where that is known. */
  readonly retryAfter: number | undefined;
  /** The limit that was reached, by its name in the metrics. */
  readonly limit: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; retryAfter?: number; limit?: string } = {},
  ) {
    super(message, options);
    this.name = "SpacefeedError";
    this.code = code;
    this.retryAfter = options.retryAfter;
    this.limit = options.limit;
  }
}
