import type { z } from "zod";
import { SpacefeedError } from "../protocol/errors.js";
import type { TokenConfig } from "./auth/token.js";
import { environment, webAddress } from "./settings.js";

type Settings = z.output<typeof environment>;

/** The settings of a relay. */
export type Config = ReturnType<typeof readConfig>;

/** Connections above the streams that there may be, for what is not a stream. */
const BESIDE_STREAMS = 5_000;
const BESIDE_STREAMS_OF_ONE = 1_000;

/** Reads the settings. Throws `config` with the name of each variable that has a wrong value. */
export function readConfig(env: NodeJS.ProcessEnv) {
  // `NAME= npm start` is how a shell unsets for one command. But no relay is to be open, or to let in tokens that are
  // for others, because something was not found.
  const given = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => value !== "" || name.startsWith("AUTH_")),
  );
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    throw wrong(
      parsed.error.issues.map(({ path, message }) => {
        const name = String(path[0]);
        // A connection string holds a password, and an address may.
        const isSecret = /(_URL|_SECRET)$/.test(name);
        return `${name}: ${message}${isSecret ? "" : ` (now "${given[name]}")`}`;
      }),
    );
  }
  const settings = parsed.data;
  const faults = contradictions(settings);
  if (faults.length > 0) throw wrong(faults);
  const tokens = tokensOf(settings);
  return {
    /** Undefined: an embedded Postgres. */
    databaseUrl: settings.DATABASE_URL,
    listenDatabaseUrl: settings.LISTEN_DATABASE_URL,
    host: settings.HOST,
    port: settings.PORT,
    dataDir: settings.DATA_DIR,
    heartbeatMs: settings.HEARTBEAT_MS,
    catchUpLimit: settings.CATCH_UP_LIMIT,
    pruneDays: settings.PRUNE_DAYS,
    maxClients: settings.MAX_CLIENTS,
    corsOrigins: settings.CORS_ORIGINS ?? [],
    /** Null: every caller is anonymous. */
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
    demo: settings.DEMO === undefined ? !settings.DATABASE_URL && !tokens : settings.DEMO === "true",
    logLevel: settings.LOG_LEVEL as string,
  };
}

function wrong(faults: string[]): SpacefeedError {
  return new SpacefeedError("config", `wrong settings in the environment: ${faults.join("; ")}`);
}

/** 0: any number. Behind a proxy all connections are its own. */
function connectionsPerAddress(settings: Settings): number {
  const { TRUST_PROXY, MAX_STREAMS_PER_ADDRESS: streams, MAX_CONNECTIONS_PER_ADDRESS: most } = settings;
  if (TRUST_PROXY > 0) return 0;
  return most ?? (streams === 0 ? 0 : streams + BESIDE_STREAMS_OF_ONE);
}

/** Null: tokens are off. */
function tokensOf(settings: Settings): TokenConfig | null {
  const { AUTH_JWT_SECRET: secret, AUTH_JWKS_URL: jwksUrl, AUTH_ISSUER: issuer } = settings;
  if (!secret && !jwksUrl && !issuer) return null;
  const { AUTH_AUDIENCE: audience, AUTH_COOKIE: cookie, AUTH_BEING_CLAIM: beingClaim = "sub" } = settings;
  return { secret, jwksUrl, issuer, audience, cookie, beingClaim };
}

function contradictions(settings: Settings): string[] {
  const { AUTH_JWT_SECRET, AUTH_JWKS_URL, AUTH_ISSUER, CORS_ORIGINS, DEMO } = settings;
  const { AUTH_AUDIENCE, AUTH_COOKIE, AUTH_BEING_CLAIM } = settings;
  const details = Object.entries({ AUTH_AUDIENCE, AUTH_COOKIE, AUTH_BEING_CLAIM });
  const given = details.filter(([, value]) => value).map(([name]) => name);
  const isOn = AUTH_JWT_SECRET || AUTH_JWKS_URL || AUTH_ISSUER;
  const isDiscovered = isOn && !AUTH_JWT_SECRET && !AUTH_JWKS_URL;
  return [
    !isOn &&
      given.length > 0 &&
      `${given.join(", ")}: has no effect without AUTH_JWKS_URL, AUTH_JWT_SECRET or AUTH_ISSUER`,
    AUTH_JWT_SECRET &&
      AUTH_JWKS_URL &&
      "AUTH_JWT_SECRET, AUTH_JWKS_URL: set only one, the one that signs the tokens",
    isDiscovered &&
      !webAddress.safeParse(AUTH_ISSUER).success &&
      "AUTH_ISSUER: must be an address where discovery finds the keys, unless AUTH_JWKS_URL or AUTH_JWT_SECRET is set",
    AUTH_COOKIE &&
      CORS_ORIGINS?.includes("*") &&
      "AUTH_COOKIE, CORS_ORIGINS: with a cookie, name each origin: * would let every site in",
    isOn && DEMO === "true" && "DEMO, AUTH_…: the demo's page and its bot have no token: leave DEMO unset",
  ].filter((fault) => typeof fault === "string");
}
