import { z } from "zod";
import { SpacefeedError } from "../protocol/errors.js";

const databaseUrl = z
  .string()
  .regex(/^postgres(ql)?:\/\//, "must be a connection string such as postgres://user@host:5432/database")
  .optional();
const wholeNumber = (min: number, max: number, standard: number) =>
  z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .default(standard);

const environment = z.object({
  DATABASE_URL: databaseUrl,
  LISTEN_DATABASE_URL: databaseUrl,
  HOST: z.string().min(1).default("127.0.0.1"),
  PORT: wholeNumber(0, 65_535, 8787),
  DATA_DIR: z.string().min(1).default(".spacefeed"),
  HEARTBEAT_MS: wholeNumber(100, 60_000, 2_000),
  CATCH_UP_LIMIT: wholeNumber(1, 10_000, 100),
  MAX_CLIENTS: wholeNumber(1, 1_000_000, 20_000),
  CORS_ORIGINS: z
    .string()
    .transform((list) => list.split(",").map((origin) => origin.trim()))
    .pipe(
      z.array(z.string().refine(isOrigin, "must be origins such as https://example.com, with commas, or *")),
    )
    .optional(),
  DEMO: z.enum(["true", "false"], "must be true or false").optional(),
  LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
});

function isOrigin(text: string): boolean {
  return text === "*" || (URL.canParse(text) && new URL(text).origin === text && !text.includes("*"));
}

/** The settings of a relay, from the environment. */
export interface Config {
  /** Connection string of the database; undefined: an embedded Postgres. */
  databaseUrl: string | undefined;
  /** Where to LISTEN and to poll, when DATABASE_URL leads to a pooler. */
  listenDatabaseUrl: string | undefined;
  host: string;
  /** 0: any free port. */
  port: number;
  /** The directory of the embedded Postgres. */
  dataDir: string;
  /** Milliseconds between heartbeats. */
  heartbeatMs: number;
  /** More changed entities than that behind: a space-sync instead of events. */
  catchUpLimit: number;
  /** Open streams, above which a newcomer is refused with 503. */
  maxClients: number;
  /** Origins of other sites whose pages may call the API; `*` for all. */
  corsOrigins: string[];
  /** The demo: a page at `/`, two spaces and a bot. Unless set, where the Postgres is the embedded one. */
  demo: boolean;
  logLevel: string;
}

/** Reads the settings. A wrong value stops the start with the name of its variable. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  // `NAME= npm start` is how a shell unsets for one command.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      // A connection string holds a password.
      const value = name.endsWith("DATABASE_URL") ? "" : ` (now "${given[name]}")`;
      return `${name}: ${issue.message}${value}`;
    });
    throw new SpacefeedError("config", `wrong settings in the environment: ${faults.join("; ")}`);
  }
  const settings = parsed.data;
  return {
    databaseUrl: settings.DATABASE_URL,
    listenDatabaseUrl: settings.LISTEN_DATABASE_URL,
    host: settings.HOST,
    port: settings.PORT,
    dataDir: settings.DATA_DIR,
    heartbeatMs: settings.HEARTBEAT_MS,
    catchUpLimit: settings.CATCH_UP_LIMIT,
    maxClients: settings.MAX_CLIENTS,
    corsOrigins: settings.CORS_ORIGINS ?? [],
    demo: settings.DEMO === undefined ? settings.DATABASE_URL === undefined : settings.DEMO === "true",
    logLevel: settings.LOG_LEVEL,
  };
}
