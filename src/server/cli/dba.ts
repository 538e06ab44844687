import pg from "pg";
import { SpacefeedError } from "../../protocol/errors.js";
import { readConfig } from "../config.js";
import { inSession } from "../postgres/session.js";
import { asLibpq } from "../postgres/tls.js";

const OF_SCHEMA = /^(3F000|42P01|42883)$/;

/** The database of DATABASE_URL, for a command that has none of its own. Throws `config` where none is set. */
export async function databaseUrlOf(command: string): Promise<string> {
  const { databaseUrl } = readConfig(process.env);
  if (databaseUrl) return asLibpq(databaseUrl);
  throw new SpacefeedError("config", `${command} needs DATABASE_URL, such as postgres://me@db:5432/app`);
}

/**
 * Does the work in a session with the database of DATABASE_URL, with the rights of its user. What Postgres says of an
 * error is a line, and its hint another one.
 */
export async function asDba<T>(command: string, work: (dba: pg.Client) => Promise<T>): Promise<T> {
  const connectionString = await databaseUrlOf(command);
  return inSession({ connectionString, application_name: `spacefeed ${command}` }, work).catch((error) => {
    throw told(error);
  });
}

function told(error: unknown): unknown {
  if (error instanceof SpacefeedError) return error;
  if (!(error instanceof pg.DatabaseError)) {
    // Of the socket, which has a code; anything else is a fault of ours.
    const { code, message } = error as NodeJS.ErrnoException;
    const isAway = code !== undefined || /timeout|Connection terminated/i.test(message);
    if (!isAway) return error;
    return new SpacefeedError(
      "config",
      `the database cannot be reached: ${message || code}; see DATABASE_URL`,
    );
  }
  const isNotThere = OF_SCHEMA.test(error.code ?? "") && error.message.includes("sync");
  const hint =
    error.hint ?? (isNotThere ? "Bring the database to this version: spacefeed migrate" : undefined);
  const lines = [error.message, ...(hint ? [`HINT: ${hint}`] : [])];
  return new SpacefeedError("config", lines.map((line) => line.replace(/\s+/g, " ")).join("\n"), {
    cause: error,
  });
}
