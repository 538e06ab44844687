import pg from "pg";
import { SpacefeedError } from "../../protocol/errors.js";
import { verdictOn } from "./sqlstate.js";

// The line of sync._demand() in the context of an error. It refuses with SF403: what else fails there is a fault of the
// policy, of which the text is not for the caller.
const IN_POLICY = /sync\._demand\(jsonb,text,text,jsonb\)/;

/** What is told by more than its state: that has other causes, and its text is translated by Postgres. */
const PASSING: readonly { is(error: pg.DatabaseError): boolean; message: string }[] = [
  {
    is: ({ routine }) => routine === "PreCommit_Notify",
    message: "the NOTIFY queue of the database is full, so nothing was stored; the log has more",
  },
  {
    // Not a policy of rows, nor what a trigger raises: those refuse.
    is: ({ code, routine }) => code === "42501" && /^aclcheck_error/.test(routine ?? ""),
    message: "the relay lacks a right in the database, so nothing was done; the log has which",
  },
  {
    is: ({ constraint }) => constraint === "intentions_message_id_key",
    message: "the sequence of the messages is behind them, so nothing was stored: run select sync.reset()",
  },
];

/** Turns whatever a query threw into the one error class. Losing the database is `unavailable`, not a fault. */
export function toSpacefeedError(error: unknown): SpacefeedError {
  if (error instanceof SpacefeedError) return error;
  // Of the socket, of TLS, of a name that is not found, of a pool that is full.
  if (!(error instanceof pg.DatabaseError) || !error.code) return away(error);
  const isOfPolicy = error.code !== "SF403" && IN_POLICY.test(error.where ?? "");
  if (isOfPolicy && verdictOn(error.code) !== "unavailable") return internal(error);
  const known = PASSING.find(({ is }) => is(error));
  if (known) return new SpacefeedError("unavailable", known.message, { cause: error });
  return refusalError(error.code, error.message, error);
}

/** What a SQLSTATE and its message mean. `cause` is for the log, which shows nothing that is no error. */
export function refusalError(
  state: string,
  message: string,
  cause: unknown = new Error(`${state}: ${message}`),
): SpacefeedError {
  if (state === "SF404") return unknownSpace(message);
  const verdict = verdictOn(state);
  if (verdict === "internal") return internal(cause);
  if (verdict === "unavailable") return state === "25006" ? readOnly(cause) : away(cause);
  // The message is Postgres' own, which names the constraint or the value; the detail, which may hold other people's
  // rows, stays here.
  return new SpacefeedError(verdict, message, { cause });
}

/** Whatever keeps a connection from being there is nothing that the caller has said. */
export function away(cause: unknown): SpacefeedError {
  return new SpacefeedError("unavailable", "the database is away; try again in a moment", { cause });
}

function readOnly(cause: unknown): SpacefeedError {
  return new SpacefeedError("unavailable", "the database is read-only now; try again in a moment", { cause });
}

function internal(cause: unknown): SpacefeedError {
  return new SpacefeedError("internal", "the database refused a query; the log has the reason", { cause });
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
