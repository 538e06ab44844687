import fc from "fast-check";
import { headerText, jsonObjectText, jsonText, objectText, text } from "./text.js";

/** Which space: one that has readers, or what comes. */
export type SpaceChoice = { kind: "home"; n: number } | { kind: "text"; text: string } | { kind: "none" };

export interface Request {
  kind: "request";
  method: string;
  path: string;
  /** Each with its value, encoded or as it is. */
  query: [name: string, value: string, isEncoded: boolean][];
  space: SpaceChoice;
  headers: Record<string, string>;
  body: Uint8Array | undefined;
}
/** Bytes that may be no HTTP. */
export interface Raw {
  kind: "raw";
  base: number;
  edits: { at: number; remove: number; insert: Uint8Array }[];
}

export const n = fc.nat(1_000_000);
export const space: fc.Arbitrary<SpaceChoice> = fc.oneof(
  { weight: 12, arbitrary: n.map((n) => ({ kind: "home" as const, n })) },
  { weight: 1, arbitrary: text.map((text) => ({ kind: "text" as const, text })) },
  { weight: 1, arbitrary: fc.constant({ kind: "none" as const }) },
);

export function fieldName(): fc.Arbitrary<string> {
  const known = [
    "action",
    "data",
    "limit",
    "before",
    "id",
    "locationId",
    "createdAt",
    "messageId",
    "content",
  ];
  return fc.oneof(text, fc.constantFrom(...known));
}

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  jsonText.map((json) => new TextEncoder().encode(json)),
  fc
    .array(fc.tuple(fieldName(), jsonText), { maxLength: 5 })
    .map((fields) => new TextEncoder().encode(objectText(fields))),
  // JSON that breaks off, or has bytes in it that are no UTF-8.
  fc.tuple(jsonObjectText, n, fc.uint8Array({ maxLength: 3 })).map(([json, n, more]) => {
    const whole = new TextEncoder().encode(json);
    const at = n % (whole.length + 1);
    return new Uint8Array([...whole.slice(0, at), ...more, ...(n % 2 ? whole.slice(at) : [])]);
  }),
);
export const since = fc.oneof(
  text,
  fc.nat().map(String),
  fc.constantFrom(
    "msg_1",
    "msg_99999999999999999999",
    "0123456789abcdef.1",
    "2026-01-01",
    "9999-12-31T23:59:60Z",
    "-1",
  ),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  fc
    .tuple(
      fc.constantFrom("2026", "0000", "99999"),
      fc.string({ unit: fc.constantFrom(..."-0123456789T:.Z+ "), maxLength: 18 }),
    )
    .map((parts) => parts.join("-")),
);
const parameter = fc.oneof(
  fc.tuple(fc.constant("since"), since, fc.constant(true)),
  fc.tuple(
    fc.constant("types"),
    fc.oneof(text, fc.constantFrom("beings", "intentions", "beings,intentions")),
    fc.constant(true),
  ),
  fc.tuple(fc.constant("limit"), fc.oneof(text, fc.nat(20_000).map(String)), fc.constant(true)),
  fc.tuple(fc.oneof(text, fc.constantFrom("spaceId", "spaceid", "spaceId[]")), text, fc.constant(true)),
  fc.tuple(
    fc.constantFrom("spaceId", "since"),
    fc.constantFrom("%", "%zz", "%c0%80", "%ff", "%ed%a0%80", "+", "a;b=c", "%00"),
    fc.constant(false),
  ),
);
const headers = fc.record(
  {
    "Last-Event-ID": headerText,
    "If-None-Match": headerText,
    Origin: fc.oneof(headerText, fc.constantFrom("https://elsewhere.example", "null")),
    "Content-Type": fc.oneof(
      headerText,
      fc.constantFrom("text/plain", "multipart/form-data", "application/json; charset=utf-16"),
    ),
    Accept: fc.oneof(headerText, fc.constantFrom("text/event-stream", "application/json", "*/*;q=0")),
    "X-Forwarded-For": headerText,
    Cookie: headerText,
    Authorization: headerText,
  },
  { requiredKeys: [] },
);
const PATHS = [
  "/api/beings",
  "/api/intentions",
  "/api/stream",
  "/api/sync",
  "/healthz",
  "/readyz",
  "/openapi.json",
  "/metrics",
  "/",
];
const path = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...PATHS) },
  { weight: 4, arbitrary: fc.constantFrom("/api/stream", "/api/sync") },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom("/", "/api/", "//", "/api/beings/", "/%2e%2e/", "/%", "/%ff"), text)
      .map(([start, rest]) => start + encode(rest)),
  },
);
export const request: fc.Arbitrary<Request> = fc.record({
  kind: fc.constant("request" as const),
  method: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("GET", "GET", "GET", "POST") },
    {
      weight: 1,
      arbitrary: fc.constantFrom("HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "QUERY"),
    },
  ),
  path,
  query: fc.array(parameter, { maxLength: 3 }) as fc.Arbitrary<Request["query"]>,
  space,
  headers: headers as fc.Arbitrary<Record<string, string>>,
  body: fc.option(bytes, { nil: undefined, freq: 2 }),
});

export const raw: fc.Arbitrary<Raw> = fc.record({
  kind: fc.constant("raw" as const),
  base: n,
  edits: fc.array(
    fc.record({
      at: n,
      remove: fc.constantFrom(0, 0, 1, 2, 20),
      insert: fc.oneof(
        fc.uint8Array({ maxLength: 4 }),
        fc
          .constantFrom(
            "\r\n",
            "\n",
            "\0",
            ":",
            " ",
            "Transfer-Encoding: chunked\r\n",
            "Content-Length: -1\r\n",
            "Expect: 100-continue\r\n",
            "Upgrade: h2c\r\nConnection: upgrade\r\n",
            "é",
            "x".repeat(20_000),
          )
          .map((piece) => new TextEncoder().encode(piece)),
      ),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

/** In a URL; half a surrogate pair as the bytes that a careless writer makes of it. */
export function encode(value: string): string {
  return /\p{Surrogate}/u.test(value) ? "%ed%a0%bd" : encodeURIComponent(value);
}
