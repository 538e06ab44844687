/** A JSON schema, as zod writes it. */
export interface JsonSchema {
  [keyword: string]: unknown;
}

type Check = (argument: never, value: unknown, path: string, schema: JsonSchema) => string[];

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isNumber = (value: unknown): value is number => typeof value === "number";
const fault = (isFault: boolean, path: string, what: string) => (isFault ? [`${path}: ${what}`] : []);
const ignored = () => [];

const TYPES: Record<string, (value: unknown) => boolean> = {
  object: isObject,
  array: Array.isArray,
  string: (value) => typeof value === "string",
  number: isNumber,
  integer: Number.isInteger,
  boolean: (value) => typeof value === "boolean",
  null: (value) => value === null,
};

const KEYWORDS: Record<string, Check> = {
  type: (types: string | string[], value, path) =>
    fault(![types].flat().some((type) => TYPES[type]?.(value)), path, `is no ${types}`),
  const: (wanted: unknown, value, path) => fault(value !== wanted, path, `is not ${wanted}`),
  enum: (wanted: unknown[], value, path) => fault(!wanted.includes(value), path, `is none of ${wanted}`),
  minLength: (min: number, value, path) =>
    fault(typeof value === "string" && [...value].length < min, path, "is too short"),
  maxLength: (max: number, value, path) =>
    fault(typeof value === "string" && [...value].length > max, path, "is too long"),
  pattern: (pattern: string, value, path) =>
    fault(typeof value === "string" && !new RegExp(pattern).test(value), path, `is not like ${pattern}`),
  minimum: (min: number, value, path) => fault(isNumber(value) && value < min, path, "is too small"),
  maximum: (max: number, value, path) => fault(isNumber(value) && value > max, path, "is too large"),
  items: (items: JsonSchema, value, path) =>
    Array.isArray(value) ? value.flatMap((item, n) => faultsOf(items, item, `${path}[${n}]`)) : [],
  required: (names: string[], value, path) =>
    isObject(value) ? names.flatMap((name) => fault(!(name in value), path, `has no ${name}`)) : [],
  properties: (properties: Record<string, JsonSchema>, value, path) =>
    isObject(value)
      ? Object.entries(properties).flatMap(([name, schema]) =>
          name in value ? faultsOf(schema, value[name], `${path}.${name}`) : [],
        )
      : [],
  additionalProperties: (allowed: boolean | JsonSchema, value, path, schema) => {
    const known = Object.keys((schema.properties ?? {}) as object);
    const others = isObject(value) ? Object.keys(value).filter((name) => !known.includes(name)) : [];
    return allowed === false ? others.map((name) => `${path}: has ${name}`) : [];
  },
  anyOf: (choices: JsonSchema[], value, path) =>
    fault(!choices.some((choice) => faultsOf(choice, value).length === 0), path, "is none of the choices"),
  oneOf: (choices: JsonSchema[], value, path) =>
    fault(
      choices.filter((choice) => faultsOf(choice, value).length === 0).length !== 1,
      path,
      "is not one of",
    ),
  allOf: (parts: JsonSchema[], value, path) => parts.flatMap((part) => faultsOf(part, value, path)),
  format: ignored,
  default: ignored,
  description: ignored,
};

/** What of a value a schema does not allow. Throws at a keyword that is none of those that we use. */
export function faultsOf(schema: JsonSchema, value: unknown, path = "$"): string[] {
  return Object.entries(schema).flatMap(([keyword, argument]) => {
    const check = KEYWORDS[keyword];
    if (!check) throw new Error(`${path}: unknown keyword ${keyword}`);
    return check(argument as never, value, path, schema);
  });
}
