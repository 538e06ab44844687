import { Hono } from "hono";
import { pino } from "pino";
import { beforeAll, expect, test, vi } from "vitest";
import { readConfig } from "../../../src/server/config.js";
import { createApp } from "../../../src/server/http/app.js";
import { openapi } from "../../../src/server/http/openapi.js";
import { Metrics } from "../../../src/server/metrics.js";
import { useDatabase } from "../../support/postgres/database.js";
import { faultsOf, type JsonSchema } from "../../support/process/json-schema.js";
import { post, useRelay } from "../../support/relay/relay.js";

vi.mock("../../../src/server/http/openapi.js", { spy: true });

type Content = Record<string, { schema: JsonSchema }>;
interface Operation {
  summary: string;
  parameters?: { name: string; in: string; required?: boolean; schema: JsonSchema }[];
  requestBody?: { required: boolean; content: Content };
  responses: Record<string, { description: string; content?: Content }>;
}
interface Document {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
}

const db = useDatabase();
const relay = useRelay(db);
let api: Document;

beforeAll(async () => {
  const response = await fetch(`${relay.current.url}/openapi.json`);
  expect(response.headers.get("content-type")).toMatch(/^application\/json/);
  api = (await response.json()) as Document;
});

const operations = () =>
  Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
const schemasOf = (operation: Operation) =>
  [operation.requestBody, ...Object.values(operation.responses)]
    .flatMap((part) => Object.values(part?.content ?? {}))
    .map((content) => content.schema)
    .concat((operation.parameters ?? []).map((parameter) => parameter.schema));
const schemaOf = (path: string, method: string, status?: number): JsonSchema => {
  const operation = api.paths[path]?.[method];
  const part = status ? operation?.responses[status] : operation?.requestBody;
  return part?.content?.["application/json"]?.schema as JsonSchema;
};

test("it is an OpenAPI 3.1 document: every operation has a summary, responses and descriptions", () => {
  expect(api.openapi).toMatch(/^3\.1\.\d+$/);
  expect(api.info).toMatchObject({ title: expect.any(String), version: expect.any(String) });
  for (const { path, method, operation } of operations()) {
    expect(path).toMatch(/^\//);
    expect(["get", "post"]).toContain(method);
    expect(operation.summary).toMatch(/\w/);
    expect(Object.keys(operation.responses).length).toBeGreaterThan(0);
    for (const [status, response] of Object.entries(operation.responses)) {
      expect(status).toMatch(/^\d{3}$/);
      expect(response.description).toMatch(/\w/);
    }
    for (const parameter of operation.parameters ?? [])
      expect(["query", "header", "path"]).toContain(parameter.in);
  }
});

test("it is made once, not for whoever asks", async () => {
  vi.mocked(openapi).mockClear();
  const ask = async () => (await fetch(`${relay.current.url}/openapi.json`)).json();
  expect([await ask(), await ask()]).toEqual([api, api]);
  expect(openapi).not.toHaveBeenCalled();
});

test("every schema says what it allows, and none refers to what is not there", () => {
  for (const { path, operation } of operations()) {
    for (const schema of schemasOf(operation)) {
      expect(JSON.stringify(schema), path).not.toMatch(/\$ref|\$defs/);
      expect(Object.keys(schema).length, path).toBeGreaterThan(0);
      // Throws at a keyword that it does not know.
      faultsOf(schema, {});
    }
  }
});

test("it lists every route that the relay has, and no other", () => {
  const nothing = {} as never;
  const app: Hono<never> = createApp({
    database: nothing,
    hub: nothing,
    feeds: nothing,
    streams: nothing,
    listener: nothing,
    metrics: new Metrics(),
    watches: [],
    ...readConfig({}),
    log: pino({ level: "silent" }),
  }) as never;
  expect(app).toBeInstanceOf(Hono);
  const routes = app.routes
    .filter((route) => route.method !== "ALL")
    .map((route) => `${route.method.toLowerCase()} ${route.path.replace(/:(\w+)/g, "{$1}")}`);
  const listed = operations().map(({ method, path }) => `${method} ${path}`);
  expect([...new Set(routes)].sort()).toEqual(listed.sort());
});

test.each([
  ["/api/beings", { action: "get", beingId: "b" }, true],
  ["/api/beings", { action: "list", spaceId: "s", limit: 5 }, true],
  ["/api/beings", { action: "create", beingId: "b", data: { type: "space", metadata: { a: 1 } } }, true],
  ["/api/beings", { action: "update", beingId: "b", data: { ownerId: null, content: "any" } }, true],
  ["/api/beings", { action: "delete", beingId: "b" }, true],
  ["/api/beings", { action: "get" }, false],
  ["/api/beings", { action: "drop", beingId: "b" }, false],
  ["/api/beings", { action: "create", colour: "red" }, false],
  ["/api/beings", { action: "create", data: { type: "alien" } }, false],
  ["/api/beings", { action: "create", data: { metadata: [] } }, false],
  ["/api/beings", { action: "get", beingId: "" }, false],
  ["/api/beings", { action: "list", spaceId: "s", limit: 1001 }, false],
  ["/api/intentions", { action: "create", spaceId: "s", data: { content: ["hi", 1, null] } }, true],
  ["/api/intentions", { action: "list", spaceId: "s", before: "msg_5" }, true],
  ["/api/intentions", { action: "create", spaceId: "s", data: { content: "hi" } }, false],
  ["/api/intentions", { action: "update", intentionId: "i", data: { locationId: null } }, false],
])(
  "the description of a request takes what the relay takes, and refuses what it refuses: %s %j",
  async (path, body, isValid) => {
    const faults = faultsOf(schemaOf(path, "post"), body);
    expect(faults.length === 0, faults.join("; ")).toBe(isValid);
    const { status } = await post(relay.current, path.slice(5) as "beings" | "intentions", body);
    expect(status === 400).toBe(!isValid);
  },
);

test("answers are as described: of each action, of a refusal and of a state", async () => {
  const space = { action: "create", beingId: "described", data: { type: "space" } };
  const ok = schemaOf("/api/beings", "post", 200);
  expect(faultsOf(ok, (await post(relay.current, "beings", space)).body)).toEqual([]);
  const list = { action: "list", spaceId: "described" };
  expect(faultsOf(ok, (await post(relay.current, "beings", list)).body)).toEqual([]);
  expect(
    faultsOf(ok, (await post(relay.current, "beings", { action: "create", data: { name: "n" } })).body),
  ).toEqual([]);
  const refusal = (await post(relay.current, "beings", { action: "get", beingId: "nobody" })).body;
  expect(faultsOf(schemaOf("/api/beings", "post", 404), refusal)).toEqual([]);
  expect(faultsOf(schemaOf("/api/beings", "post", 409), refusal)).not.toEqual([]);
  const spoken = await post(relay.current, "intentions", { action: "create", spaceId: "described" });
  expect(faultsOf(schemaOf("/api/intentions", "post", 200), spoken.body)).toEqual([]);
  const state = await (await fetch(`${relay.current.url}/api/sync?spaceId=described`)).json();
  expect(faultsOf(schemaOf("/api/sync", "get", 200), state)).toEqual([]);
});

test("it names the ways to prove who one is, and what is refused without", () => {
  const { security, components } = api as unknown as {
    security: Record<string, string[]>[];
    components: { securitySchemes: Record<string, { type: string; scheme?: string }> };
  };
  expect(components.securitySchemes.bearer).toMatchObject({ type: "http", scheme: "bearer" });
  expect(security).toEqual([{}, { bearer: [] }]);
  for (const { path, operation } of operations().filter(({ path }) => path.startsWith("/api/"))) {
    for (const status of ["401", "403", "429"])
      expect(Object.keys(operation.responses), path).toContain(status);
  }
  expect(openapi("session")).toMatchObject({
    security: [{}, { bearer: [] }, { cookie: [] }],
    components: { securitySchemes: { cookie: { type: "apiKey", in: "cookie", name: "session" } } },
  });
});
