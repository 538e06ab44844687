import type { Context } from "hono";
import type { z } from "zod";
import { longNumber, MAX_DIGITS } from "../../protocol/digits.js";
import { SpacefeedError } from "../../protocol/errors.js";

/** Checks what a client sent. Throws `invalid` with the path of each fault. */
export function check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => {
    const path = issue.path.map(String).join(".");
    return path ? `${path}: ${issue.message}` : issue.message;
  });
  throw new SpacefeedError("invalid", faults.join("; "));
}

/** Reads a JSON body, of which the text keeps the digits of its numbers. Throws `invalid` when it is none. */
export async function readJson(context: Context): Promise<{ text: string; value: unknown }> {
  const bytes = await context.req.arrayBuffer();
  let body: { text: string; value: unknown };
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    body = { text, value: JSON.parse(text) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SpacefeedError("invalid", `the body is not JSON in UTF-8: ${reason}`);
  }
  const path = longNumber(body.text);
  if (path !== null) {
    throw new SpacefeedError("invalid", `${path}: has more than ${MAX_DIGITS} digits, written out`);
  }
  return body;
}

/**
 * Reads and checks the query. A parameter that is given twice is a fault; one that is not ours is none, since proxies,
 * caches and EventSource polyfills add their own.
 */
export function readQuery<Schema extends z.ZodObject>(context: Context, schema: Schema): z.infer<Schema> {
  const query = Object.entries(context.req.queries()).filter(([name]) => Object.hasOwn(schema.shape, name));
  const twice = query.find(([, values]) => values.length > 1);
  if (twice) throw new SpacefeedError("invalid", `${twice[0]}: is given more than once`);
  return check(schema, Object.fromEntries(query.map(([name, values]) => [name, values[0]])));
}
