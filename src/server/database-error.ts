import pg from "pg";
import { SpacefeedError } from "../protocol/errors.js";

// What a caller can mend: the value (54001: it is nested too deep), the right, the conflict. The message is
// Postgres' own, which names the constraint or the value; the detail, which may hold other people's rows, stays here.
const REFUSALS = [
  { states: /^(22|23502|23514|54001)/, code: "invalid" },
  { states: /^(23|P0001|40)/, code: "conflict" },
  { states: /^P0002/, code: "not_found" },
  { states: /^(SF403|42501)/, code: "forbidden" },
  { states: /^54000/, code: "too_large" },
] as const;

// The line of sync.demand() in the context of an error. It refuses with SF403: such errors are faults of the policy.
const IN_POLICY = /sync\.demand\(jsonb,text,text,jsonb\)/;
const FAULT = /^(22|23|42|54|P0)/;

// The server is away, starting, stopping, full or busy with a lock; or the connection to it is away.
const AWAY = /^(08|53|55P03|57|58)/;

/** Turns whatever a query threw into the one error class. Losing the database is `unavailable`, not a fault. */
export function toSpacefeedError(error: unknown): SpacefeedError {
  if (error instanceof SpacefeedError) return error;
  // Not its state, which has other causes, nor its text, which Postgres translates.
  if (error instanceof pg.DatabaseError && error.routine === "PreCommit_Notify") {
    const message = "the NOTIFY queue of the database is full, so nothing was stored; the log has more";
    return new SpacefeedError("unavailable", message, { cause: error });
  }
  if (error instanceof pg.DatabaseError && error.code) {
    const isOfPolicy = FAULT.test(error.code) && IN_POLICY.test(error.where ?? "");
    return isOfPolicy ? internal(error) : refusalError(error.code, error.message, error);
  }
  return away(error);
}

/** What a SQLSTATE and its message mean. `cause` is for the log, which shows nothing that is no error. */
export function refusalError(state: string, message: string, cause?: unknown): SpacefeedError {
  const refusal = REFUSALS.find((candidate) => candidate.states.test(state));
  if (refusal) return new SpacefeedError(refusal.code, message, { cause });
  const reason = cause ?? new Error(`${state}: ${message}`);
  return AWAY.test(state) ? away(reason) : internal(reason);
}

function internal(cause: unknown): SpacefeedError {
  return new SpacefeedError("internal", "the database refused a query; the log has the reason", { cause });
}

function away(cause: unknown): SpacefeedError {
  return new SpacefeedError("unavailable", "the database is away; try again in a moment", { cause });
}

/** Whether the same statement may well work at once: a serialization failure or a deadlock. */
export function isWorthRetrying(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === "40001" || error.code === "40P01");
}
