import { readFileSync } from "node:fs";
import { z } from "zod";
import { type ErrorCode, STATUS } from "../../protocol/errors.js";
import * as messages from "../../protocol/messages.js";
import * as requests from "../../protocol/requests.js";

const packageJson = new URL("../../../package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(packageJson, "utf8")) as { version: string };
const { appendEvent, being, entityEvent, intention, manySpacesEvent, spaceState, syncEvent } = messages;
const { beingRequest, entityRequest, intentionRequest } = requests;
const { streamChange, streamQuery, streamRequest, syncQuery } = requests;
const event = z.union([syncEvent, entityEvent, appendEvent]);
const namedEvent = z.union([manySpacesEvent, event]);
const streamChanged = z.object({ success: z.literal(true), spaces: z.int() });
const readiness = z.object({ status: z.literal("ready"), epoch: z.string(), warnings: z.array(z.string()) });
const SSE = "text/event-stream";

/** The description of the API, made from the schemas that check it. `cookie`: the one in which tokens may come. */
export function openapi(cookie?: string): object {
  const securitySchemes = {
    bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
    ...(cookie !== undefined && { cookie: { type: "apiKey", in: "cookie", name: cookie } }),
  };
  return {
    openapi: "3.1.0",
    info: {
      title: "Spacefeed",
      version,
      description: "Whoever writes the row, every browser in the space sees it.",
    },
    // The first, which asks for nothing: a relay without AUTH_… lets everybody in.
    security: [{}, ...Object.keys(securitySchemes).map((name) => ({ [name]: [] }))],
    components: { securitySchemes },
    paths: {
      "/api/beings": { post: entity("beings", beingRequest, being) },
      "/api/intentions": { post: entity("messages", intentionRequest, intention) },
      "/api/entities": { post: entity("rows of tracked tables", entityRequest, messages.entity) },
      "/api/stream": {
        get: {
          summary: "The events of a space, as Server-Sent Events",
          description:
            "Each unnamed message is one event. The last event of a group (a transaction, or a catch-up) has " +
            "prev, cursor and the SSE id. Event heartbeat comes every HEARTBEAT_MS. Last-Event-ID, " +
            "also as lastEventId in the query, beats since.",
          parameters: [
            ...queryParameters(streamQuery),
            parameter("Last-Event-ID", "header"),
            parameter("lastEventId", "query"),
          ],
          responses: responses("The stream", content(event, SSE), "not_found"),
        },
        post: {
          summary: "The events of many spaces on one stream, each with its spaceId",
          requestBody: body(streamRequest),
          responses: responses("The stream", content(namedEvent, SSE)),
        },
      },
      "/api/stream/{id}": {
        post: {
          summary: "Adds spaces to a stream of many, and drops some; the ID is in its first event",
          parameters: [{ ...parameter("id", "path"), required: true }],
          requestBody: body(streamChange),
          responses: responses("The spaces that it has now", content(streamChanged), "not_found"),
        },
      },
      "/api/sync": {
        get: {
          summary: "The complete state of a space: once, or with Accept: text/event-stream at each change",
          parameters: [...queryParameters(syncQuery), parameter("If-None-Match", "header")],
          responses: {
            ...responses("The state", { ...content(spaceState), ...content(spaceState, SSE) }, "not_found"),
            304: { description: "As it was" },
          },
        },
      },
      "/healthz": { get: plain("The process lives") },
      "/readyz": {
        get: {
          summary: "The database and LISTEN answer, and what will need somebody soon",
          responses: {
            200: { description: "They do", content: content(readiness) },
            ...refusals("unavailable"),
          },
        },
      },
      "/openapi.json": { get: plain("This description") },
      "/metrics": { get: plain("Metrics for Prometheus") },
    },
  };
}

const plain = (summary: string) => ({ summary, responses: { 200: { description: summary } } });

function entity(nouns: string, request: z.ZodType, one: z.ZodType) {
  const data = z.union([one, z.array(one)]);
  const version = z.int().nonnegative().nullable();
  const answer = z.object({ success: z.literal(true), data, version, hasMore: z.boolean().optional() });
  const description = "Done. hasMore: of a page of messages, whether there are older ones";
  return {
    summary: `Get, list, create, update and delete ${nouns}`,
    requestBody: body(request),
    responses: responses(description, content(answer), "not_found", "conflict", "too_large"),
  };
}

/** What is answered, these refusals, and those that every route of the API may answer. */
const responses = (description: string, answer: object, ...codes: ErrorCode[]) => ({
  200: { description, content: answer },
  ...refusals(...codes, "invalid", "unauthorized", "forbidden", "rate_limited", "unavailable"),
});

function refusals(...codes: ErrorCode[]) {
  const refusal = (code: ErrorCode) =>
    z.object({ success: z.literal(false), error: z.string(), code: z.literal(code) });
  return Object.fromEntries(
    codes.map((code) => [STATUS[code], { description: code, content: content(refusal(code)) }]),
  );
}

const parameter = (name: string, where: string, schema: object = { type: "string" }) => ({
  name,
  in: where,
  schema,
});

function queryParameters(schema: z.ZodObject) {
  const { properties = {}, required = [] } = jsonSchema(schema, "input");
  return Object.entries(properties).map(([name, property]) => ({
    ...parameter(name, "query", property as object),
    required: required.includes(name),
  }));
}

const body = (schema: z.ZodType) => ({
  required: true,
  content: { "application/json": { schema: jsonSchema(schema, "input") } },
});
const content = (schema: z.ZodType, type = "application/json") => ({
  [type]: { schema: jsonSchema(schema, "output") },
});

function jsonSchema(schema: z.ZodType, io: "input" | "output") {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
