/** A field of a tracked table's rows, as sync.fields() tells it. */
export interface Field {
  type: string;
  table: string;
  field: string;
  jsonType: "string" | "number" | "boolean" | "enum" | "json";
  labels: string[];
  /** 0: no array. */
  dimensions: number;
  isNullable: boolean;
  isReplaced: boolean;
}

const MADE = "// Made by `spacefeed types` from the database's catalog.\n";

/** The map of types that `useEntities` and the client know rows by. */
export function typeMap(fields: Field[]): string {
  const entries = entitiesIn(fields).map(
    ([type, of]) =>
      `${noteOf(of, "    ")}    ${type}: {\n${of.map(lineOf(typeOf, "      ", ";")).join("")}    };\n`,
  );
  return `${MADE}import type {} from "spacefeed";\n\n${augmented(entries)}`;
}

/** The same as schemas of zod, `taskSchema`, from which the types are. */
export function zodMap(fields: Field[]): string {
  const entities = entitiesIn(fields);
  const schemas = entities.map(
    ([type, of]) =>
      `${noteOf(of, "")}export const ${type}Schema = z.object({\n${of.map(lineOf(zodOf, "  ", ",")).join("")}});\n\n`,
  );
  const entries = entities.map(([type]) => `    ${type}: z.infer<typeof ${type}Schema>;\n`);
  return `${MADE}import type {} from "spacefeed";\nimport { z } from "zod";\n\n${schemas.join("")}${augmented(entries)}`;
}

function entitiesIn(fields: Field[]): [string, Field[]][] {
  const types = [...new Set(fields.map(({ type }) => type))];
  return types.map((type) => [type, fields.filter((field) => field.type === type)]);
}

function augmented(entries: string[]): string {
  return `declare module "spacefeed" {\n  interface Entities {\n${entries.join("")}  }\n}\n`;
}

/** Names are other people's, and may have what ends a comment. */
function noteOf([first]: Field[], indent: string): string {
  const { table = "", type = "", isReplaced } = first ?? {};
  const replaced = isReplaced ? `. sync.${type}_json was replaced by hand: its types may differ` : "";
  return `${indent}/** ${`${table}${replaced}`.replace(/\s+/g, " ").replaceAll("*/", "* /")} */\n`;
}

const lineOf =
  (shapeOf: (field: Field) => string, indent: string, end: string) =>
  (field: Field): string => {
    const key = /^[A-Za-z_$][\w$]*$/.test(field.field) ? field.field : JSON.stringify(field.field);
    return `${indent}${key}: ${shapeOf(field)}${end}\n`;
  };

/** Postgres lets the elements of an array be null, too. */
function typeOf({ jsonType, labels, dimensions, isNullable }: Field): string {
  if (jsonType === "json" && dimensions === 0) return "unknown";
  const one = jsonType === "json" ? "unknown" : jsonType === "enum" ? unionOf(labels) : jsonType;
  const element = jsonType === "json" ? one : `${one} | null`;
  const item = element.includes("|") ? `(${element})` : element;
  const type = dimensions > 0 ? item + "[]".repeat(dimensions) : one;
  return isNullable ? `${type} | null` : type;
}

function zodOf({ jsonType, labels, dimensions, isNullable }: Field): string {
  const texts = labels.map((label) => JSON.stringify(label)).join(", ");
  const one =
    { json: "unknown()", enum: labels.length ? `enum([${texts}])` : "never()" }[jsonType as string] ??
    `${jsonType}()`;
  let schema = `z.${one}`;
  if (dimensions > 0 && jsonType !== "json") schema += ".nullable()";
  for (let depth = 0; depth < dimensions; depth++) schema = `z.array(${schema})`;
  return isNullable && !(jsonType === "json" && dimensions === 0) ? `${schema}.nullable()` : schema;
}

const unionOf = (labels: string[]) => labels.map((label) => JSON.stringify(label)).join(" | ") || "never";
