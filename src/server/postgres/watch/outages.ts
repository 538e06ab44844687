import type { Logger } from "pino";
import type { SpacefeedError } from "../../../protocol/errors.js";

/** For so long is a request that failed a sign that the next one may. */
const LATELY_MS = 10_000;

/** Remembers for what the database turned requests away lately, such as a full disk, which no catalog tells of. */
export class OutageWatch {
  readonly #log: Logger;
  #last: { error: SpacefeedError; reason: string; at: number } | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** A query has failed. The log is told of each reason, and again when it has not been for a while. */
  note(error: SpacefeedError): void {
    if (error.code !== "unavailable" || !(error.cause instanceof Error)) return;
    const reason = error.cause.message;
    const isKnown = this.#last?.reason === reason && performance.now() - this.#last.at < LATELY_MS;
    if (isKnown) return;
    this.#last = { error, reason, at: performance.now() };
    this.#log.warn({ reason }, error.message);
  }

  /** The warnings for `/readyz`: the reason is for the log. */
  async look(): Promise<string[]> {
    if (!this.#last || performance.now() - this.#last.at > LATELY_MS) return [];
    return [
      `requests were turned away in the last 10 s: ${this.#last.error.message}. The relay's log has the reason`,
    ];
  }
}
