import type { Logger } from "pino";
import type { SpacefeedError } from "../../../protocol/errors.js";

/** For so long is a request that failed a sign that the next one may. */
const LATELY_MS = 10_000;

/** Remembers for what the database turned requests away lately, such as a full disk, which no catalog tells of. */
export function outageWatch(log: Logger) {
  let last: { message: string; reason: string; until: number } | undefined;
  const isLate = () => last !== undefined && performance.now() <= last.until;

  return {
    /** A query has failed. The log is told of each reason, and again when it has not been for a while. */
    note({ code, message, cause }: SpacefeedError): void {
      if (code !== "unavailable" || !(cause instanceof Error)) return;
      const reason = cause.message;
      if (isLate() && last?.reason === reason) return;
      last = { message, reason, until: performance.now() + LATELY_MS };
      log.warn({ reason }, message);
    },

    /** The warnings for `/readyz`: the reason is for the log. */
    async look(): Promise<string[]> {
      if (!isLate()) return [];
      return [`requests were turned away in the last 10 s: ${last?.message}. The relay's log has the reason`];
    },
  };
}
