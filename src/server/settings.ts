import { z } from "zod";
import { faultOfDatabaseUrl } from "./postgres/database-url.js";

const databaseUrl = z
  .string()
  .superRefine((text, context) => {
    const fault = faultOfDatabaseUrl(text);
    if (fault) context.addIssue({ code: "custom", message: fault });
  })
  .optional();
const wholeNumber = (min: number, max: number) =>
  z.string().regex(/^\d+$/, "must be a whole number").transform(Number).pipe(z.number().min(min).max(max));

/** Where something is fetched from. */
export const webAddress = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    "must be an address such as https://id.example.com/keys",
  );

const origins = z
  .string()
  .transform((list) => list.split(",").map((origin) => origin.trim()))
  .pipe(
    z.array(
      z
        .string()
        .refine(
          isOrigin,
          "must be origins such as https://example.com or capacitor://localhost, with commas, or *",
        ),
    ),
  );
const notEmpty = z.string().min(1, "must not be empty");

/** The variables, each with its sentence, from which docs/settings.md is made; `unless`: what holds where it is not set. */
export const environment = z.object({
  DATABASE_URL: databaseUrl.meta({
    unless: "an embedded Postgres",
    description:
      "Postgres 14 to 18, not with the encoding SQL_ASCII. `sslmode`, `sslrootcert`, `PGSSLMODE` and `PGSSLROOTCERT` " +
      "mean what they mean to `psql`: `require` encrypts, `verify-full` also looks whom with, and without one it is " +
      "TLS if the server has it.",
  }),
  LISTEN_DATABASE_URL: databaseUrl.meta({
    unless: "`DATABASE_URL`",
    description:
      "Where to LISTEN, record and migrate, when `DATABASE_URL` leads through a pooler in transaction mode: the Postgres " +
      "behind it, with the same role and database.",
  }),
  HOST: z.string().min(1).default("127.0.0.1").meta({ description: "The address to listen on." }),
  PORT: wholeNumber(0, 65_535)
    .default(8787)
    .meta({ description: "The port to listen on; `0`: any free one." }),
  DATA_DIR: z
    .string()
    .min(1)
    .default(".spacefeed")
    .meta({ description: "The directory of the embedded Postgres." }),
  HEARTBEAT_MS: wholeNumber(100, 60_000)
    .default(2_000)
    .meta({ description: "Between two heartbeats of a stream." }),
  CATCH_UP_LIMIT: wholeNumber(1, 10_000)
    .default(100)
    .meta({ description: "Changed entities; who is further behind gets one `space-sync`." }),
  DEMO: z.enum(["true", "false"], "must be true or false").optional().meta({
    unless: "`true` with the embedded Postgres and without tokens, else `false`",
    description: "The page at `/`, its two spaces and its bot, which writes into the database.",
  }),
  CORS_ORIGINS: origins.optional().meta({
    unless: "none",
    description:
      "Origins of other sites whose pages may call the API, with commas, also of applications " +
      "(`capacitor://localhost`, `tauri://localhost`); or `*`.",
  }),
  AUTH_JWT_SECRET: z
    .string()
    .min(32, "must have at least 32 characters")
    .optional()
    .meta({ description: "Tokens are signed with this secret (HS256, at least 32 characters)." }),
  AUTH_JWKS_URL: webAddress
    .optional()
    .meta({ description: "Tokens are signed with one of the public keys there." }),
  AUTH_ISSUER: notEmpty.optional().meta({
    description:
      "The expected `iss`; with neither a secret nor a JWKS, also where OpenID Connect discovery finds the keys.",
  }),
  AUTH_AUDIENCE: notEmpty.optional().meta({ unless: "any", description: "The expected `aud`." }),
  AUTH_BEING_CLAIM: notEmpty.optional().meta({
    unless: "`sub`",
    description: "The claim with the ID of the being that a token stands for.",
  }),
  AUTH_COOKIE: z
    .string()
    .regex(/^[\w-]+$/, "must be the name of a cookie: letters, digits, _ and -")
    .optional()
    .meta({ unless: "none", description: "A cookie in which the token may come, too." }),
  AUTH_RECHECK_MS: wholeNumber(100, 3_600_000)
    .default(30_000)
    .meta({ description: "How often it is asked again whether an open stream may go on." }),
  MAX_CLIENTS: wholeNumber(1, 1_000_000)
    .default(20_000)
    .meta({ description: "Open streams; a newcomer above gets 503 with `Retry-After`." }),
  MAX_STREAMS_PER_ADDRESS: wholeNumber(0, 1_000_000)
    .default(1_000)
    .meta({ description: "Open at a time; `0`: any number." }),
  MAX_STREAMS_PER_SPACE: wholeNumber(0, 1_000_000)
    .default(20_000)
    .meta({ description: "Open at a time; `0`: any number." }),
  MAX_WRITES_PER_ADDRESS: wholeNumber(0, 1_000_000)
    .default(1_000)
    .meta({ description: "In 10 s; `0`: any number." }),
  MAX_WRITES_PER_SPACE: wholeNumber(0, 1_000_000)
    .default(10_000)
    .meta({ description: "In 10 s; `0`: any number." }),
  TRUST_PROXY: wholeNumber(0, 10)
    .default(0)
    .meta({
      description:
        "Proxies before the relay, whose `X-Forwarded-For` is believed: exactly as many as there are, since with more, " +
        "clients choose their address.",
    }),
  // Unless set, more than the streams: there have to be some for all else.
  MAX_CONNECTIONS: wholeNumber(1, 1_000_000).optional().meta({
    unless: "`MAX_CLIENTS` + 5000",
    description: "Open at a time, whatever for; one more is closed at once.",
  }),
  MAX_CONNECTIONS_PER_ADDRESS: wholeNumber(0, 1_000_000)
    .optional()
    .meta({
      unless: "`MAX_STREAMS_PER_ADDRESS` + 1000",
      description:
        "Likewise, of one address. `0`: any number; so it is where `MAX_STREAMS_PER_ADDRESS` is `0`, and always with " +
        "`TRUST_PROXY`, since there all are the proxy's.",
    }),
  MAX_HEADER_BYTES: wholeNumber(1_024, 1_048_576)
    .default(16_384)
    .meta({ description: "Of the head of a request." }),
  REQUEST_TIMEOUT_MS: wholeNumber(100, 600_000)
    .default(30_000)
    .meta({
      description:
        "In which a request arrives whole (its head in 10 s at most), and for which a client may take nothing of its " +
        "answer (twice that where some went out at first).",
    }),
  IDLE_TIMEOUT_MS: wholeNumber(100, 600_000)
    .default(65_000)
    .meta({ description: "For which a connection is kept without a request." }),
  LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
    .default("info")
    .meta({ description: "What is told in the log: this level, and those before it." }),
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
    const { unless, description = "" } = (field.meta() ?? {}) as { unless?: string; description?: string };
    const { data } = field.safeParse(undefined);
    return {
      name,
      unless: unless ?? (data === undefined ? "" : `\`${data}\``),
      sentence: description,
    };
  });
}
