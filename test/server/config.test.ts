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
  "MAX_CLIENTS",
  "CORS_ORIGINS",
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
  maxClients: 20_000,
  corsOrigins: [],
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

test("an empty value counts as unset", () => {
  expect(readConfig(Object.fromEntries(NAMES.map((name) => [name, ""])))).toEqual(DEFAULTS);
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
      MAX_CLIENTS: "7",
      CORS_ORIGINS: "https://a.example, http://localhost:3000",
      DEMO: "true",
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
    maxClients: 7,
    corsOrigins: ["https://a.example", "http://localhost:3000"],
    demo: true,
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
  ["CATCH_UP_LIMIT", "0"],
  ["CATCH_UP_LIMIT", "10001"],
  ["MAX_CLIENTS", "0"],
  ["CORS_ORIGINS", "home.example"],
  ["CORS_ORIGINS", "https://home.example/"],
  ["CORS_ORIGINS", "https://home.example/path"],
  ["CORS_ORIGINS", "https://a.example,,https://b.example"],
  ["CORS_ORIGINS", "https://*.example"],
  ["DEMO", "yes"],
  ["DEMO", "1"],
  ["LOG_LEVEL", "loud"],
  ["LOG_LEVEL", "INFO"],
])("a wrong value stops the start with the variable's name: %s=%s", (name, value) => {
  const { code, message } = faultOf({ [name]: value });
  expect(code).toBe("config");
  expect(message).toMatch(new RegExp(`environment: ${name}: `));
  expect(NAMES.filter((other) => other !== name && message.includes(` ${other}:`))).toEqual([]);
  if (!name.endsWith("DATABASE_URL")) expect(message).toContain(`"${value}"`);
  expect(message).not.toContain("\n");
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
