import pg from "pg";

const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full", "no-verify"];
const ESCAPES = "a password has / as %2F, ? as %3F, # as %23, @ as %40 and % as %25";

/**
 * Which part of a connection string is wrong, and how; null when none is. It never shows what stands there: a character
 * that was to be escaped makes a host or a port of a password.
 */
export function faultOfDatabaseUrl(text: string): string | null {
  const rest = /^postgres(?:ql)?:\/\/(.*)$/s.exec(text)?.[1];
  if (rest === undefined) return "must be a connection string such as postgres://user@host:5432/database";
  if (rest.includes("#")) {
    const part = rest.indexOf("#") < rest.lastIndexOf("@") ? "the user or the password" : "the end";
    return `${part} has a raw #: write it as %23`;
  }
  const authority = rest.slice(0, rest.search(/[/?]|$/));
  const query = new URLSearchParams(rest.split("?").slice(1).join("?"));
  const [path = ""] = rest.slice(authority.length).split("?");
  const isCut = path.includes("@") || [...query].some(([name]) => name.includes("@"));
  if (isCut && !authority.includes("@")) {
    const raw = rest[authority.length];
    return `the user or the password has a raw ${raw}: write it as ${encodeURIComponent(raw ?? "")}`;
  }
  const place = authority.slice(authority.lastIndexOf("@") + 1);
  const port = query.get("port") || /:([^\]]*)$/.exec(place)?.[1] || "5432";
  const mode = query.get("sslmode");
  if (place.includes(",") || query.get("host")?.includes(","))
    return "the host is a list, and a relay speaks to one: name the one that takes writes, or a name that leads to it";
  if (/^[^[]*:.*:/.test(place))
    return `the host or the port has a raw ":": an IPv6 address is in brackets, and ${ESCAPES}`;
  if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
    return `the port is not a number from 1 to 65535; ${ESCAPES}`;
  if (place !== "" && !URL.canParse(`postgres://${place}/`))
    return `the host is not a valid name or address; ${ESCAPES}`;
  if (mode !== null && !SSL_MODES.includes(mode)) return `sslmode must be one of ${SSL_MODES.join(", ")}`;
  if (query.has("dbname"))
    return "dbname is not read: name the database after the host, as in postgres://host/database";
  try {
    // Reads the files, too. The modes are libpq's, see tls.ts.
    new pg.Client({ connectionString: text.replace(/\b(sslmode|sslrootcert=system\b)[^&]*/g, "") });
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code !== undefined && /^E[A-Z]+$/.test(code)
      ? `a file of sslrootcert, sslcert or sslkey cannot be read (${code})`
      : `the user, the password or the database is not escaped: ${ESCAPES}`;
  }
}
