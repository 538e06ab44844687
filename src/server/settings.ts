import { z } from "zod";
import { faultOfDatabaseUrl } from "./postgres/database-url.js";

/** A variable with its sentence; `unless`: what holds where it is not set, unless the schema has a default. */
const setting = <Schema extends z.ZodType>(schema: Schema, description: string, unless?: string): Schema =>
  schema.meta({ description, unless });
const wholeNumber = (min: number, max: number) =>
  z.string().regex(/^\d+$/, "must be a whole number").transform(Number).pipe(z.number().min(min).max(max));
const number = (min: number, max: number, otherwise: number) => wholeNumber(min, max).default(otherwise);
const notEmpty = z.string().min(1, "must not be empty");
const databaseUrl = z.string().superRefine((text, context) => {
  const fault = faultOfDatabaseUrl(text);
  if (fault) context.addIssue({ code: "custom", message: fault });
});
/** Where something is fetched from. */
export const webAddress = z.url({
  protocol: /^https?$/,
  error: "must be an address such as https://id.example.com/keys",
});
const origin = z
  .string()
  .refine(isOrigin, "must be origins such as https://example.com, separated by commas, or *");
const origins = z.string().transform((list) => list.split(",").map((each) => each.trim()));
const logLevel = z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]);

/** The variables of the environment. docs/settings.md and the help of `serve` are made from their sentences. */
export const environment = z.object({
  DATABASE_URL: setting(
    databaseUrl.optional(),
    "Postgres 14 to 18, not with the encoding SQL_ASCII. `sslmode`, `sslrootcert`, `PGSSLMODE` and `PGSSLROOTCERT` mean " +
      "what they mean to `psql`: `require` encrypts, `verify-full` also checks who the server is, and without a mode it is " +
      "TLS if the server has it.",
    "an embedded Postgres",
  ),
  LISTEN_DATABASE_URL: setting(
    databaseUrl.optional(),
    "Where to LISTEN, record and migrate, when `DATABASE_URL` leads through a pooler in transaction mode: the Postgres " +
      "behind it, with the same role and database.",
    "`DATABASE_URL`",
  ),
  HOST: setting(notEmpty.default("127.0.0.1"), "The address to listen on."),
  PORT: setting(number(0, 65_535, 8787), "The port to listen on; `0`: any free one."),
  DATA_DIR: setting(notEmpty.default(".spacefeed"), "The directory of the embedded Postgres."),
  HEARTBEAT_MS: setting(number(100, 60_000, 2_000), "Between two heartbeats of a stream."),
  CATCH_UP_LIMIT: setting(
    number(1, 10_000, 100),
    "Changed entities; a client that is further behind gets one `space-sync`.",
  ),
  PRUNE_DAYS: setting(
    number(0, 36_500, 30),
    "For so long the database remembers what was deleted; a client that was away for longer gets one `space-sync`. " +
      "`0`: the relay leaves it to others, as to pg_cron.",
  ),
  DEMO: setting(
    z.enum(["true", "false"], "must be true or false").optional(),
    "The page at `/`, its two spaces and its bot, which writes into the database.",
    "`true` with the embedded Postgres and without tokens, else `false`",
  ),
  CORS_ORIGINS: setting(
    origins.pipe(z.array(origin)).optional(),
    "Origins of other sites whose pages may call the API, separated by commas, also of applications " +
      "(`capacitor://localhost`, `tauri://localhost`); or `*`.",
    "none",
  ),
  AUTH_JWT_SECRET: setting(
    z.string().min(32, "must have at least 32 characters").optional(),
    "Tokens are signed with this secret (HS256, at least 32 characters).",
  ),
  AUTH_JWKS_URL: setting(webAddress.optional(), "Tokens are signed with one of the public keys there."),
  AUTH_ISSUER: setting(
    notEmpty.optional(),
    "The expected `iss`; with neither a secret nor a JWKS, also where OpenID Connect discovery finds the keys.",
  ),
  AUTH_AUDIENCE: setting(notEmpty.optional(), "The expected `aud`.", "any"),
  AUTH_BEING_CLAIM: setting(
    notEmpty.optional(),
    "The claim with the ID of the being that a token stands for.",
    "`sub`",
  ),
  AUTH_COOKIE: setting(
    z
      .string()
      .regex(/^[\w-]+$/, "must be the name of a cookie: letters, digits, _ and -")
      .optional(),
    "A cookie in which the token may come, too.",
    "none",
  ),
  AUTH_RECHECK_MS: setting(
    number(100, 3_600_000, 30_000),
    "How often the relay asks again whether an open stream may go on.",
  ),
  MAX_CLIENTS: setting(
    number(1, 1_000_000, 20_000),
    "Open streams; a newcomer above gets 503 with `Retry-After`.",
  ),
  MAX_STREAMS_PER_ADDRESS: setting(number(0, 1_000_000, 1_000), "Open at a time; `0`: any number."),
  MAX_STREAMS_PER_SPACE: setting(number(0, 1_000_000, 20_000), "Open at a time; `0`: any number."),
  MAX_WRITES_PER_ADDRESS: setting(number(0, 1_000_000, 1_000), "In 10 s; `0`: any number."),
  MAX_WRITES_PER_SPACE: setting(number(0, 1_000_000, 10_000), "In 10 s; `0`: any number."),
  TRUST_PROXY: setting(
    number(0, 10, 0),
    "Proxies before the relay, whose `X-Forwarded-For` is believed: exactly as many as there are, since with more, " +
      "clients choose their address.",
  ),
  MAX_CONNECTIONS: setting(
    wholeNumber(1, 1_000_000).optional(),
    "Open at a time, whatever for; one more is closed at once.",
    "`MAX_CLIENTS` + 5000",
  ),
  MAX_CONNECTIONS_PER_ADDRESS: setting(
    wholeNumber(0, 1_000_000).optional(),
    "Likewise, of one address. `0`: any number, as where `MAX_STREAMS_PER_ADDRESS` is `0`, and always with " +
      "`TRUST_PROXY`, since there all are the proxy's.",
    "`MAX_STREAMS_PER_ADDRESS` + 1000",
  ),
  MAX_HEADER_BYTES: setting(number(1_024, 1_048_576, 16_384), "Of the head of a request."),
  REQUEST_TIMEOUT_MS: setting(
    number(100, 600_000, 30_000),
    "In which a request arrives whole (its head in 10 s at most), and for which a client may take nothing of its " +
      "answer (twice that where some went out at first).",
  ),
  IDLE_TIMEOUT_MS: setting(number(100, 600_000, 65_000), "For which a connection is kept without a request."),
  LOG_LEVEL: setting(logLevel.default("info"), "What the log has: this level, and those before it."),
});

function isOrigin(text: string): boolean {
  if (text === "*") return true;
  if (!URL.canParse(text) || text.includes("*")) return false;
  // Not URL.origin, which is "null" for the schemes of applications.
  const { protocol, host } = new URL(text);
  return `${protocol}//${host}` === text;
}

/** Each variable with what holds unless it is set, and its sentence; in Markdown. */
export function listSettings(): { name: string; unless: string; sentence: string }[] {
  return Object.entries(environment.shape).map(([name, field]) => {
    const { unless, description = "" } = field.meta() as { unless?: string; description?: string };
    const { data } = field.safeParse(undefined);
    return { name, unless: unless ?? (data === undefined ? "" : `\`${data}\``), sentence: description };
  });
}
