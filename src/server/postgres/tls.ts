import pg from "pg";
import { SpacefeedError } from "../../protocol/errors.js";

const CONNECT_MS = 5_000;

/**
 * A connection string with which the driver does what libpq, and so psql, does with this one: `require` encrypts,
 * `verify-ca` and `verify-full` also look whom with, and `prefer`, which is what holds without a mode, encrypts if the
 * server can. What is in the driver's own words (`ssl`, `no-verify`, `uselibpqcompat`) stays.
 */
export async function asLibpq(url: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const given = new URLSearchParams(url.split("?").slice(1).join("?"));
  const mode = given.get("sslmode") ?? env.PGSSLMODE ?? "prefer";
  if (given.has("ssl") || given.has("uselibpqcompat") || mode === "no-verify") return url;
  const root = given.get("sslrootcert") ?? env.PGSSLROOTCERT ?? "";
  // Of what is given twice the last one counts.
  const withMode = (sslmode: string, sslrootcert = root) =>
    `${url}${url.includes("?") ? "&" : "?"}${new URLSearchParams({ uselibpqcompat: "true", sslmode, sslrootcert })}`;

  if (isSocket(url, given, env)) return withMode("disable", "");
  if (root === "system") return withMode("verify-full", "");
  if (mode === "verify-ca" && !root) {
    throw new SpacefeedError(
      "config",
      "sslmode=verify-ca needs the file of a certificate authority: name it in sslrootcert, or use verify-full",
    );
  }
  if (mode !== "allow" && mode !== "prefer") return withMode(mode);
  return withMode((await isEncrypted(withMode("prefer"), withMode("disable"))) ? "prefer" : "disable");
}

/** Where there is no network there is no TLS. */
function isSocket(url: string, given: URLSearchParams, env: NodeJS.ProcessEnv): boolean {
  const host = given.get("host") ?? /\/\/(?:[^/?]*@)?([^/?]*)/.exec(url)?.[1];
  return /^(\/|%2f)/i.test(host || env.PGHOST || "");
}

/** The server may have no TLS, or let nobody in by it. Where it lets nobody in at all, its answer by TLS counts. */
async function isEncrypted(encrypted: string, plain: string): Promise<boolean> {
  try {
    await connect(encrypted);
    return true;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) return false;
    return connect(plain).then(
      () => false,
      () => true,
    );
  }
}

async function connect(connectionString: string): Promise<void> {
  const client = new pg.Client({
    connectionString,
    application_name: "spacefeed",
    connectionTimeoutMillis: CONNECT_MS,
  });
  client.on("error", () => {}); // connecting rejects as well
  try {
    await client.connect();
  } finally {
    await client.end().catch(() => {});
  }
}
