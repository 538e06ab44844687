import { expect, test } from "vitest";
import { readConfig } from "../../src/server/config.js";

const NAMES = [
  "DATABASE_URL",
  "LISTEN_DATABASE_URL",
  "HOST",
  "PORT",
  "DATA_DIR",
  "HEARTBEAT_MS",
  "CATCH_UP_LIMIT",
  "PRUNE_DAYS",
  "MAX_CLIENTS",
  "CORS_ORIGINS",
  "AUTH_JWKS_URL",
  "AUTH_JWT_SECRET",
  "AUTH_ISSUER",
  "AUTH_AUDIENCE",
  "AUTH_COOKIE",
  "AUTH_BEING_CLAIM",
  "AUTH_RECHECK_MS",
  "TRUST_PROXY",
  "MAX_WRITES_PER_ADDRESS",
  "MAX_WRITES_PER_SPACE",
  "MAX_STREAMS_PER_ADDRESS",
  "MAX_STREAMS_PER_SPACE",
  "MAX_CONNECTIONS",
  "MAX_CONNECTIONS_PER_ADDRESS",
  "MAX_HEADER_BYTES",
  "REQUEST_TIMEOUT_MS",
  "IDLE_TIMEOUT_MS",
  "DEMO",
  "LOG_LEVEL",
];
const DEFAULTS = {
  databaseUrl: undefined,
  listenDatabaseUrl: undefined,
  host: "127.0.0.1",
  port: 8787,
  dataDir: ".spacefeed",
  heartbeatMs: 2000,
  catchUpLimit: 100,
  pruneDays: 30,
  maxClients: 20_000,
  corsOrigins: [],
  tokens: null,
  recheckMs: 30_000,
  trustProxy: 0,
  limits: {
    writesPerAddress: 1_000,
    writesPerSpace: 10_000,
    streamsPerAddress: 1_000,
    streamsPerSpace: 20_000,
  },
  http: {
    requestMs: 30_000,
    idleMs: 65_000,
    headerBytes: 16_384,
    connections: 25_000,
    connectionsPerAddress: 2_000,
  },
  demo: true,
  logLevel: "info",
};

/** The error of the environment. */
function faultOf(env: Record<string, string>): { code: string; message: string } {
  try {
    readConfig(env);
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error("no error");
}

test("without settings every default holds, and what is not ours does not matter", () => {
  expect(readConfig({})).toEqual(DEFAULTS);
  expect(readConfig({ PATH: "/bin", DATABASE: "x", PGHOST: "y" })).toEqual(DEFAULTS);
});

test("an empty value counts as unset, but not where it would leave a relay open", () => {
  const names = NAMES.filter((name) => !name.startsWith("AUTH_"));
  expect(readConfig(Object.fromEntries(names.map((name) => [name, ""])))).toEqual(DEFAULTS);
});

test("an empty AUTH_… stops the start with its name, also where another one switches tokens on", () => {
  const names = NAMES.filter((name) => name.startsWith("AUTH_"));
  expect(names.length).toBeGreaterThan(6);
  for (const name of names) {
    const { code, message } = faultOf({ AUTH_JWKS_URL: "https://id.example/keys", [name]: "" });
    expect([code, message]).toEqual(["config", expect.stringContaining(`environment: ${name}: must `)]);
  }
});

test("every setting is read", () => {
  expect(
    readConfig({
      DATABASE_URL: "postgres://me:pw@db:5432/app",
      LISTEN_DATABASE_URL: "postgresql://direct/app?sslmode=require",
      HOST: "::",
      PORT: "0",
      DATA_DIR: "/var/lib/feed",
      HEARTBEAT_MS: "100",
      CATCH_UP_LIMIT: "10000",
      PRUNE_DAYS: "0",
      MAX_CLIENTS: "7",
      CORS_ORIGINS: "https://a.example, http://localhost:3000, capacitor://localhost",
      AUTH_JWKS_URL: "https://id.example/keys",
      AUTH_ISSUER: "us",
      AUTH_AUDIENCE: "spacefeed",
      AUTH_COOKIE: "__Host-session",
      AUTH_BEING_CLAIM: "username",
      AUTH_RECHECK_MS: "5000",
      TRUST_PROXY: "2",
      MAX_WRITES_PER_ADDRESS: "1",
      MAX_WRITES_PER_SPACE: "2",
      MAX_STREAMS_PER_ADDRESS: "3",
      MAX_STREAMS_PER_SPACE: "0",
      MAX_CONNECTIONS: "8",
      MAX_CONNECTIONS_PER_ADDRESS: "9",
      MAX_HEADER_BYTES: "8192",
      REQUEST_TIMEOUT_MS: "1000",
      IDLE_TIMEOUT_MS: "2000",
      DEMO: "false",
      LOG_LEVEL: "debug",
    }),
  ).toEqual({
    databaseUrl: "postgres://me:pw@db:5432/app",
    listenDatabaseUrl: "postgresql://direct/app?sslmode=require",
    host: "::",
    port: 0,
    dataDir: "/var/lib/feed",
    heartbeatMs: 100,
    catchUpLimit: 10_000,
    pruneDays: 0,
    maxClients: 7,
    corsOrigins: ["https://a.example", "http://localhost:3000", "capacitor://localhost"],
    tokens: {
      secret: undefined,
      jwksUrl: "https://id.example/keys",
      issuer: "us",
      audience: "spacefeed",
      cookie: "__Host-session",
      beingClaim: "username",
    },
    recheckMs: 5_000,
    trustProxy: 2,
    limits: { writesPerAddress: 1, writesPerSpace: 2, streamsPerAddress: 3, streamsPerSpace: 0 },
    http: { requestMs: 1_000, idleMs: 2_000, headerBytes: 8_192, connections: 8, connectionsPerAddress: 0 },
    demo: false,
    logLevel: "debug",
  });
  expect(readConfig({ CORS_ORIGINS: "*" }).corsOrigins).toEqual(["*"]);
});

test.each([
  ["DATABASE_URL", "mysql://db/app"],
  ["DATABASE_URL", "db.example:5432"],
  ["LISTEN_DATABASE_URL", "host=db"],
  ["PORT", "http"],
  ["PORT", "65536"],
  ["PORT", "-1"],
  ["PORT", "80.5"],
  ["PORT", "1e3"],
  ["PORT", " 80"],
  ["HEARTBEAT_MS", "99"],
  ["HEARTBEAT_MS", "60001"],
  ["HEARTBEAT_MS", "2s"],
  ["PRUNE_DAYS", "-1"],
  ["PRUNE_DAYS", "36501"],
  ["CATCH_UP_LIMIT", "0"],
  ["CATCH_UP_LIMIT", "10001"],
  ["MAX_CLIENTS", "0"],
  ["CORS_ORIGINS", "home.example"],
  ["CORS_ORIGINS", "https://home.example/"],
  ["CORS_ORIGINS", "https://home.example/path"],
  ["CORS_ORIGINS", "https://a.example,,https://b.example"],
  ["CORS_ORIGINS", "https://*.example"],
  ["CORS_ORIGINS", "capacitor://localhost/"],
  ["CORS_ORIGINS", "capacitor:localhost"],
  ["CORS_ORIGINS", "tauri://me@localhost"],
  ["CORS_ORIGINS", "https://A.example"],
  ["CORS_ORIGINS", "null"],
  ["AUTH_JWKS_URL", "id.example/keys"],
  ["AUTH_JWKS_URL", "file:///keys"],
  ["AUTH_JWT_SECRET", "31 characters are one too few…."],
  ["AUTH_JWKS_URL", ""],
  ["AUTH_JWT_SECRET", ""],
  ["AUTH_ISSUER", ""],
  ["AUTH_COOKIE", "a cookie"],
  ["AUTH_RECHECK_MS", "99"],
  ["TRUST_PROXY", "true"],
  ["TRUST_PROXY", "11"],
  ["MAX_WRITES_PER_ADDRESS", "-1"],
  ["MAX_STREAMS_PER_SPACE", "many"],
  ["MAX_CONNECTIONS", "0"],
  ["MAX_CONNECTIONS_PER_ADDRESS", "-1"],
  ["MAX_HEADER_BYTES", "16K"],
  ["REQUEST_TIMEOUT_MS", "0"],
  ["IDLE_TIMEOUT_MS", "0"],
  ["DEMO", "yes"],
  ["DEMO", "1"],
  ["LOG_LEVEL", "loud"],
  ["LOG_LEVEL", "INFO"],
])("a wrong value stops the start with the variable's name: %s=%s", (name, value) => {
  const { code, message } = faultOf({ [name]: value });
  expect(code).toBe("config");
  expect(message).toMatch(new RegExp(`environment: ${name}: `));
  expect(NAMES.filter((other) => other !== name && message.includes(` ${other}:`))).toEqual([]);
  if (!/_URL$|_SECRET$/.test(name)) expect(message).toContain(`"${value}"`);
  expect(message).not.toContain("\n");
});

test("there are more connections than streams unless it is said, and behind a proxy any number from one address", () => {
  const connections = (env: Record<string, string>) => {
    const { http } = readConfig(env);
    return [http.connections, http.connectionsPerAddress];
  };
  expect(connections({ MAX_CLIENTS: "50000", MAX_STREAMS_PER_ADDRESS: "40000" })).toEqual([55_000, 41_000]);
  expect(connections({ MAX_STREAMS_PER_ADDRESS: "0" })).toEqual([25_000, 0]);
  expect(connections({ MAX_CONNECTIONS: "10", MAX_CONNECTIONS_PER_ADDRESS: "3" })).toEqual([10, 3]);
  expect(connections({ MAX_CONNECTIONS_PER_ADDRESS: "0" })).toEqual([25_000, 0]);
  expect(connections({ MAX_CONNECTIONS_PER_ADDRESS: "3", TRUST_PROXY: "1" })).toEqual([25_000, 0]);
});

test("the demo is on with the embedded Postgres and off with a database of yours, unless DEMO says otherwise", () => {
  const DATABASE_URL = "postgres://me:pw@db:5432/app";
  expect(readConfig({}).demo).toBe(true);
  expect(readConfig({ DATABASE_URL }).demo).toBe(false);
  expect(readConfig({ DEMO: "false" }).demo).toBe(false);
  expect(readConfig({ DATABASE_URL, DEMO: "true" }).demo).toBe(true);
});

test("a wrong CORS_ORIGINS says what an origin looks like", () => {
  expect(faultOf({ CORS_ORIGINS: "https://home.example/" }).message).toMatch(/origin/i);
});

test("every wrong value is named at once", () => {
  expect(faultOf({ PORT: "x", LOG_LEVEL: "y", DATABASE_URL: "z" }).message).toMatch(
    /DATABASE_URL: .*PORT: .*LOG_LEVEL: /,
  );
});

test("the password in a connection string is never in the message", () => {
  for (const name of ["DATABASE_URL", "LISTEN_DATABASE_URL"]) {
    for (const url of ["mysql://me:s3cret@db/app", "me:s3cret@db", "password=s3cret host=db"]) {
      const { message } = faultOf({ [name]: url, PORT: "x" });
      expect(message).toContain(name);
      expect(message).not.toContain("s3cret");
    }
  }
});

const SECRET = "a secret of thirty-two characters or more";
test.each<[string, Record<string, string>, RegExp]>([
  [
    "two kinds of key",
    { AUTH_JWT_SECRET: SECRET, AUTH_JWKS_URL: "https://id.example" },
    /AUTH_JWT_SECRET, AUTH_JWKS_URL/,
  ],
  ["an audience, and no key", { AUTH_AUDIENCE: "us" }, /AUTH_AUDIENCE.*AUTH_JWT_SECRET/],
  [
    "a cookie and a claim, and no key",
    { AUTH_COOKIE: "c", AUTH_BEING_CLAIM: "sub" },
    /AUTH_COOKIE, AUTH_BEING_CLAIM/,
  ],
  ["discovery at what is no address", { AUTH_ISSUER: "us" }, /AUTH_ISSUER.*AUTH_JWKS_URL/],
  [
    "a cookie for every site",
    { AUTH_JWT_SECRET: SECRET, AUTH_COOKIE: "c", CORS_ORIGINS: "*" },
    /AUTH_COOKIE, CORS_ORIGINS/,
  ],
  ["the demo with tokens", { AUTH_JWT_SECRET: SECRET, DEMO: "true" }, /DEMO/],
])("what contradicts itself stops the start with the names: %s", (_, env, names) => {
  const { code, message } = faultOf(env);
  expect(code).toBe("config");
  expect(message).toMatch(names);
  expect(message).not.toContain(SECRET);
});

test.each<Record<string, string>>([
  { AUTH_JWT_SECRET: SECRET },
  { AUTH_JWT_SECRET: SECRET, AUTH_ISSUER: "us" },
  { AUTH_JWKS_URL: "http://keys.internal/jwks" },
  { AUTH_ISSUER: "https://id.example" },
])("each kind of key switches tokens on, the claim is sub, and the demo off: %o", (env) => {
  expect(readConfig(env)).toMatchObject({ tokens: { beingClaim: "sub" }, demo: false });
});
