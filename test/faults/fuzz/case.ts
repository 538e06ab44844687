import fc from "fast-check";
import {
  fieldName,
  n,
  type Raw,
  type Request,
  raw,
  request,
  type SpaceChoice,
  since,
  space,
} from "./request.js";
import { jsonArrayText, jsonObjectText, jsonText, ODD_IDS, text } from "./text.js";

/** Which ID a request names: one that its lane has stored, or a new one. */
export type IdChoice =
  | { kind: "stored"; n: number }
  | { kind: "odd"; n: number }
  | { kind: "text"; text: string }
  | { kind: "long"; character: string; length: number };

export interface Mutation {
  kind: "mutation";
  entity: "beings" | "intentions";
  action: string;
  id: IdChoice;
  space: SpaceChoice;
  /** JSON texts by field. */
  data: [name: string, value: string][] | undefined;
  /** What makes it wrong: one more field, beside the others or in `data`. */
  spoil: { where: "body" | "data"; field: [string, string] } | undefined;
}
export interface Sql {
  kind: "sql";
  entity: "beings" | "intentions";
  id: IdChoice;
  home: number;
  name: string;
  content: string;
}
export interface Since {
  kind: "since";
  home: number;
  since: string;
}
export type Case = Mutation | Request | Raw | Sql | Since;

const id: fc.Arbitrary<IdChoice> = fc.oneof(
  { weight: 6, arbitrary: n.map((n) => ({ kind: "stored" as const, n })) },
  { weight: 2, arbitrary: fc.nat(ODD_IDS.length - 1).map((n) => ({ kind: "odd" as const, n })) },
  { weight: 5, arbitrary: text.map((text) => ({ kind: "text" as const, text })) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("long" as const),
      character: fc.constantFrom("x", "é", "😀"),
      length: fc.constantFrom(254, 255, 256),
    }),
  },
);
const quoted = (values: readonly string[]) =>
  fc.constantFrom(...values.map((value) => JSON.stringify(value)));
const anyId = fc.oneof(
  fc.constant("null"),
  text.map((value) => JSON.stringify(value)),
  fc.constantFrom(...ODD_IDS).map((value) => JSON.stringify(value)),
);
const FIELDS = {
  beings: {
    name: text.map((value) => JSON.stringify(value)),
    type: quoted(["guest", "space", "bot", "document"]),
    ownerId: anyId,
    metadata: jsonObjectText,
    properties: jsonObjectText,
    content: jsonText,
  },
  intentions: {
    name: text.map((value) => JSON.stringify(value)),
    type: quoted(["utterance", "error"]),
    state: quoted(["draft", "active", "paused", "complete", "cancelled", "failed"]),
    ownerId: anyId,
    content: jsonArrayText,
  },
};
const fieldsOf = (fields: Record<string, fc.Arbitrary<string>>) =>
  fc.record(fields, { requiredKeys: [] }).map((chosen) => Object.entries(chosen) as [string, string][]);

const mutation = (entity: "beings" | "intentions"): fc.Arbitrary<Mutation> =>
  fc.record({
    kind: fc.constant("mutation" as const),
    entity: fc.constant(entity),
    action: fc.oneof(
      {
        weight: 12,
        arbitrary: fc.constantFrom("create", "create", "create", "update", "update", "delete", "get", "list"),
      },
      { weight: 1, arbitrary: text },
    ),
    id,
    space,
    data: fc.option(fieldsOf(FIELDS[entity]), { nil: undefined, freq: 8 }),
    spoil: fc.oneof(
      { weight: 8, arbitrary: fc.constant(undefined) },
      {
        weight: 1,
        arbitrary: fc.record({
          where: fc.constantFrom("body" as const, "data" as const),
          field: fc.tuple(fieldName(), jsonText),
        }),
      },
    ),
  });

const sql: fc.Arbitrary<Sql> = fc.constantFrom("beings" as const, "intentions" as const).chain((entity) =>
  fc.record({
    kind: fc.constant("sql" as const),
    entity: fc.constant(entity),
    id,
    home: n,
    name: text,
    content: entity === "beings" ? jsonText : jsonArrayText,
  }),
);

/** One case: a change through the API, any request, bytes on a socket, a row written with SQL, a cursor. */
export const anyCase: fc.Arbitrary<Case> = fc.oneof(
  { weight: 24, arbitrary: mutation("intentions") },
  { weight: 24, arbitrary: mutation("beings") },
  { weight: 28, arbitrary: request },
  { weight: 8, arbitrary: raw },
  { weight: 8, arbitrary: sql },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("since" as const), home: n, since }) },
);
