import pg from "pg";
import { type ErrorCode, SpacefeedError } from "../../protocol/errors.js";

const AWAY = "the database cannot be reached: try again in a moment";
const READ_ONLY = "the database is read-only now: try again in a moment";
const FAULT = "the database refused a query; the log has the reason";

type Verdict = readonly [states: RegExp, code: ErrorCode, message?: string];

/**
 * What a SQLSTATE is for whoever asked, and the words for it: Postgres' own where there are none, which name the
 * constraint or the value. Its detail, which may hold other people's rows, stays here. Every class of Postgres'
 * errcodes.txt is in this table, and a test holds it. The first row that fits counts. What can pass by itself or by an
 * operator's hand is `unavailable`: whoever sent a change keeps it, and sends it again.
 */
const STATES: readonly Verdict[] = [
  // 2200H: a sequence is at its end. 25: read-only, or a session that was ended for its idleness. 40: only 40002 is no
  // matter of when. HV: a foreign server is away, or out of memory or handles.
  [/^25006/, "unavailable", READ_ONLY],
  [/^(08|2200H|25P0[34]|28|3D|40(?!002)|53|55|57|58|72|F0|HV00N|HV001|HV014)/, "unavailable", AWAY],
  // The value is the caller's to mend. 44: a view with check option. 54001: it is nested too deep.
  [/^(22|23502|23514|44|54001)/, "invalid"],
  [/^(23|40|P0001)/, "conflict"],
  [/^P0002/, "not_found"],
  [/^(SF403|42501)/, "forbidden"],
  [/^54000/, "too_large"],
  [/^SF429/, "rate_limited"],
  // A fault of a statement or of a function, ours or the DBA's.
  [/^(0[0-39ABFLPZ]|10|2[014-7BDF]|3[489BF]|42|54|HV|P0|XX)/, "internal", FAULT],
  // No class of Postgres: a trigger of the DBA refuses with a state of its own.
  [/^/, "conflict"],
];

/** What is told by more than its state: that has other causes, and its text is translated by Postgres. */
const PASSING: readonly { is(error: pg.DatabaseError): boolean; message: string }[] = [
  {
    is: ({ routine }) => routine === "PreCommit_Notify",
    message: "the NOTIFY queue of the database is full, so nothing was stored; the log has more",
  },
  {
    // Not what a trigger raises: that refuses.
    is: ({ code, routine }) => code === "42501" && /^(aclcheck_error|check_enable_rls)/.test(routine ?? ""),
    message: "the relay lacks a right in the database, so nothing was done; the log has which",
  },
  {
    is: ({ constraint }) => constraint === "intentions_message_id_key",
    message: "the sequence of the messages is behind them, so nothing was stored: run select sync.reset()",
  },
];

// The line of sync._demand() in the context of an error. It refuses with SF403: what else fails there is a fault of the
// policy, of which the text is not for the caller.
const IN_POLICY = /sync\._demand\(jsonb,text,text\[\],jsonb\)/;

/** Turns whatever a query threw into the one error class. Losing the database is `unavailable`, not a fault. */
export function toSpacefeedError(error: unknown): SpacefeedError {
  if (error instanceof SpacefeedError) return error;
  // Of the socket, of TLS, of a name that is not found, of a pool that is full.
  if (!(error instanceof pg.DatabaseError) || !error.code) return away(error);
  const told = refusalError(error.code, error.message, IN_POLICY.test(error.where ?? ""), error);
  const known = PASSING.find(({ is }) => is(error));
  return known ? new SpacefeedError("unavailable", known.message, { cause: error }) : told;
}

/**
 * What a SQLSTATE and its message mean. What fails in the policy, and does not refuse or pass by itself, is a fault of
 * the server. `cause` is for the log, which shows nothing that is no error.
 */
export function refusalError(
  state: string,
  message: string,
  isOfPolicy: boolean,
  cause: unknown = new Error(`${state}: ${message}`),
): SpacefeedError {
  if (state === "SF404") return unknownSpace(message);
  const [, code, words = message] = STATES.find(([states]) => states.test(state)) as Verdict;
  if (isOfPolicy && state !== "SF403" && code !== "unavailable") {
    return new SpacefeedError("internal", FAULT, { cause });
  }
  return new SpacefeedError(code, words, { cause });
}

/** Whatever keeps a connection from being there is nothing that the caller has said. */
export function away(cause: unknown): SpacefeedError {
  return new SpacefeedError("unavailable", AWAY, { cause });
}

/** Whether the same statement may well work at once: a serialization failure or a deadlock. */
export function isWorthRetrying(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === "40001" || error.code === "40P01");
}

/** The answer to a space that is not there. */
export function unknownSpace(spaceId: string): SpacefeedError {
  return new SpacefeedError(
    "not_found",
    `there is no space ${spaceId}: create it with POST /api/beings, {"action":"create","beingId":${JSON.stringify(spaceId)},"data":{"type":"space"}}`,
  );
}
