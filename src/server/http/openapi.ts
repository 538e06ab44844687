import { z } from "zod";
import { type ErrorCode, STATUS } from "../../protocol/errors.js";
import {
  being,
  beingRequest,
  intention,
  intentionRequest,
  spaceState,
  streamQuery,
  syncEvent,
  syncQuery,
} from "../../protocol/messages.js";

const json = (schema: z.ZodType, io: "input" | "output" = "output") => ({
  "application/json": { schema: jsonSchema(schema, io) },
});
const readiness = z.object({
  status: z.literal("ready"),
  epoch: z.string(),
  warnings: z.array(z.string()),
});
const version = z.int().nonnegative().nullable();

/** The description of the API, made from the schemas that check it. `cookie`: the one in which tokens may come. */
export function openapi(cookie?: string): object {
  const schemes = {
    bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
    ...(cookie !== undefined && { cookie: { type: "apiKey", in: "cookie", name: cookie } }),
  };
  // The first, which asks for nothing: a relay without AUTH_… lets everybody in.
  const security = [{}, ...Object.keys(schemes).map((name) => ({ [name]: [] }))];
  return {
    openapi: "3.1.0",
    info: {
      title: "Spacefeed",
      version: "0.1.0",
      description: "Whoever writes the row, every browser in the space sees it.",
    },
    security,
    components: { securitySchemes: schemes },
    paths: {
      "/api/beings": {
        post: entity("beings", beingRequest, z.union([being, z.array(being)])),
      },
      "/api/intentions": {
        post: entity("messages", intentionRequest, z.union([intention, z.array(intention)])),
      },
      "/api/stream": {
        get: {
          summary: "The events of a space, as Server-Sent Events",
          description:
            "Each unnamed message is one event. The last event of a group (a transaction, or a catch-up) has " +
            "prev, cursor and the SSE id. Event heartbeat comes every HEARTBEAT_MS. Last-Event-ID, " +
            "also as lastEventId in the query, beats since.",
          parameters: [
            ...queryParameters(streamQuery),
            { name: "Last-Event-ID", in: "header", schema: { type: "string" } },
            { name: "lastEventId", in: "query", schema: { type: "string" } },
          ],
          responses: {
            200: {
              description: "The stream",
              content: { "text/event-stream": { schema: jsonSchema(syncEvent) } },
            },
            ...errors("invalid", "unauthorized", "forbidden", "not_found", "rate_limited", "unavailable"),
          },
        },
      },
      "/api/sync": {
        get: {
          summary: "The complete state of a space: once, or with Accept: text/event-stream at each change",
          parameters: [
            ...queryParameters(syncQuery),
            { name: "If-None-Match", in: "header", schema: { type: "string" } },
          ],
          responses: {
            200: {
              description: "The state",
              content: { ...json(spaceState), "text/event-stream": { schema: jsonSchema(spaceState) } },
            },
            304: { description: "As it was" },
            ...errors("invalid", "unauthorized", "forbidden", "not_found", "rate_limited", "unavailable"),
          },
        },
      },
      "/healthz": { get: { summary: "The process lives", responses: { 200: { description: "It does" } } } },
      "/readyz": {
        get: {
          summary: "The database and LISTEN answer, and what will need somebody soon",
          responses: {
            200: { description: "They do", content: json(readiness) },
            ...errors("unavailable"),
          },
        },
      },
      "/openapi.json": { get: { summary: "This description", responses: { 200: { description: "It" } } } },
      "/metrics": {
        get: { summary: "Metrics for Prometheus", responses: { 200: { description: "The metrics" } } },
      },
    },
  };
}

function entity(nouns: string, request: z.ZodType, data: z.ZodType) {
  return {
    summary: `Get, list, create, update and delete ${nouns}`,
    requestBody: { required: true, content: json(request, "input") },
    responses: {
      200: {
        description: "Done. hasMore: of a page of messages, whether there are older ones",
        content: json(z.object({ success: z.literal(true), data, version, hasMore: z.boolean().optional() })),
      },
      ...errors(
        "invalid",
        "unauthorized",
        "forbidden",
        "not_found",
        "conflict",
        "too_large",
        "rate_limited",
        "unavailable",
      ),
    },
  };
}

function errors(...codes: ErrorCode[]) {
  return Object.fromEntries(
    codes.map((code) => [
      STATUS[code],
      {
        description: code,
        content: json(z.object({ success: z.literal(false), error: z.string(), code: z.literal(code) })),
      },
    ]),
  );
}

function queryParameters(schema: z.ZodObject) {
  const { properties = {}, required = [] } = jsonSchema(schema, "input") as {
    properties?: Record<string, object>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema: property,
  }));
}

function jsonSchema(schema: z.ZodType, io: "input" | "output" = "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
