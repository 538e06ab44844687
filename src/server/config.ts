import type { z } from "zod";
import { SpacefeedError } from "../protocol/errors.js";
import type { TokenConfig } from "./auth/token.js";
import type { Limits } from "./http/limits/throttle.js";
import type { HttpLimits } from "./http/listen.js";
import { environment, webAddress } from "./settings.js";

/** The settings of a relay, from the environment. */
export interface Config {
  /** Connection string of the database; undefined: an embedded Postgres. */
  databaseUrl: string | undefined;
  /** Where to LISTEN and to record, when DATABASE_URL leads to a pooler. */
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
  /** How callers prove who they are; null: everybody is nobody in particular. */
  tokens: TokenConfig | null;
  /** Milliseconds after which a reader who has a token is asked about again. */
  recheckMs: number;
  /** Proxies before the relay whose X-Forwarded-For is believed. */
  trustProxy: number;
  limits: Limits;
  http: HttpLimits;
  /** The demo: a page at `/`, two spaces and a bot. Unless set, where the Postgres is the embedded one. */
  demo: boolean;
  logLevel: string;
}

/** Connections above the streams that there may be, for what is not a stream. */
const BESIDE_STREAMS = 5_000;
const BESIDE_STREAMS_OF_ONE = 1_000;

/** Reads the settings. A wrong value stops the start with the name of its variable. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  // `NAME= npm start` is how a shell unsets for one command. But no relay is to be open, or to let in tokens that are
  // for others, because something was not found.
  const given = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => value !== "" || name.startsWith("AUTH_")),
  );
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      // A connection string holds a password, and an address may.
      const isSecret = /(_URL|_SECRET)$/.test(name);
      const value = isSecret ? "" : ` (now "${given[name]}")`;
      return `${name}: ${issue.message}${value}`;
    });
    throw new SpacefeedError("config", `wrong settings in the environment: ${faults.join("; ")}`);
  }
  const settings = parsed.data;
  const tokens = tokensOf(settings);
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
    tokens,
    recheckMs: settings.AUTH_RECHECK_MS,
    trustProxy: settings.TRUST_PROXY,
    limits: {
      writesPerAddress: settings.MAX_WRITES_PER_ADDRESS,
      writesPerSpace: settings.MAX_WRITES_PER_SPACE,
      streamsPerAddress: settings.MAX_STREAMS_PER_ADDRESS,
      streamsPerSpace: settings.MAX_STREAMS_PER_SPACE,
    },
    http: {
      requestMs: settings.REQUEST_TIMEOUT_MS,
      idleMs: settings.IDLE_TIMEOUT_MS,
      headerBytes: settings.MAX_HEADER_BYTES,
      connections: settings.MAX_CONNECTIONS ?? settings.MAX_CLIENTS + BESIDE_STREAMS,
      connectionsPerAddress: connectionsPerAddress(settings),
    },
    demo:
      settings.DEMO === undefined ? settings.DATABASE_URL === undefined && !tokens : settings.DEMO === "true",
    logLevel: settings.LOG_LEVEL,
  };
}

/** 0: any number. Behind a proxy all connections are its own. */
function connectionsPerAddress(settings: z.infer<typeof environment>): number {
  const { TRUST_PROXY, MAX_STREAMS_PER_ADDRESS: streams, MAX_CONNECTIONS_PER_ADDRESS: most } = settings;
  if (TRUST_PROXY > 0) return 0;
  return most ?? (streams === 0 ? 0 : streams + BESIDE_STREAMS_OF_ONE);
}

/** Null: tokens are off. Settings that contradict one another are no settings at all. */
function tokensOf(settings: z.infer<typeof environment>): TokenConfig | null {
  const { AUTH_JWT_SECRET, AUTH_JWKS_URL, AUTH_ISSUER, AUTH_AUDIENCE, AUTH_COOKIE, AUTH_BEING_CLAIM } =
    settings;
  const details = Object.entries({ AUTH_AUDIENCE, AUTH_COOKIE, AUTH_BEING_CLAIM });
  const given = details.filter(([, value]) => value !== undefined).map(([name]) => name);
  const isOn = (AUTH_JWT_SECRET ?? AUTH_JWKS_URL ?? AUTH_ISSUER) !== undefined;
  const isDiscovered = isOn && (AUTH_JWT_SECRET ?? AUTH_JWKS_URL) === undefined;
  const fault = [
    !isOn &&
      given.length > 0 &&
      `${given.join(", ")}: does nothing without AUTH_JWKS_URL, AUTH_JWT_SECRET or AUTH_ISSUER`,
    AUTH_JWT_SECRET !== undefined &&
      AUTH_JWKS_URL !== undefined &&
      "AUTH_JWT_SECRET, AUTH_JWKS_URL: set the one that signs the tokens, not both",
    isDiscovered &&
      !webAddress.safeParse(AUTH_ISSUER).success &&
      "AUTH_ISSUER: must be an address where discovery finds the keys, unless AUTH_JWKS_URL or AUTH_JWT_SECRET is set",
    AUTH_COOKIE !== undefined &&
      settings.CORS_ORIGINS?.includes("*") &&
      "AUTH_COOKIE, CORS_ORIGINS: with a cookie every origin has to be named, * would let in all",
    isOn && settings.DEMO === "true" && "DEMO, AUTH_…: the demo's page and its bot have no token",
  ].find(Boolean);
  if (fault) throw new SpacefeedError("config", `wrong settings in the environment: ${fault}`);
  if (!isOn) return null;
  return {
    secret: AUTH_JWT_SECRET,
    jwksUrl: AUTH_JWKS_URL,
    issuer: AUTH_ISSUER,
    audience: AUTH_AUDIENCE,
    cookie: AUTH_COOKIE,
    beingClaim: AUTH_BEING_CLAIM ?? "sub",
  };
}
