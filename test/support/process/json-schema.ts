import { z } from "zod";

/** A JSON schema, as the API describes itself with it. */
export interface JsonSchema {
  [keyword: string]: unknown;
}

const checks = new WeakMap<JsonSchema, z.ZodType>();

/** What of a value a schema does not allow. Throws where the schema cannot be read. */
export function faultsOf(schema: JsonSchema, value: unknown): string[] {
  const check = checks.get(schema) ?? z.fromJSONSchema(schema);
  checks.set(schema, check);
  const { error } = check.safeParse(value);
  return error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];
}
