import pg from "pg";
import { SpacefeedError } from "../../protocol/errors.js";
import { inSession } from "./session.js";

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

  // Where there is no network there is no TLS.
  const host = given.get("host") || /\/\/(?:[^/?]*@)?([^/?]*)/.exec(url)?.[1] || env.PGHOST || "";
  if (/^(\/|%2f)/i.test(host)) return withMode("disable", "");
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

/** The server may have no TLS, or let nobody in by it. Where it lets nobody in at all, its answer by TLS counts. */
async function isEncrypted(encrypted: string, plain: string): Promise<boolean> {
  const refusal = await refusalOf(encrypted);
  if (refusal === undefined) return true;
  return refusal instanceof pg.DatabaseError && (await refusalOf(plain)) !== undefined;
}

/** Undefined: it lets us in. */
async function refusalOf(connectionString: string): Promise<unknown> {
  const settings = { connectionString, application_name: "spacefeed" };
  return inSession(settings, async () => undefined).catch((error) => error);
}
