import type { Context } from "hono";
import { SpacefeedError } from "../../protocol/errors.js";

/** Whose pages may ask: those of the relay's own address, and of the origins that are named. */
export class Origins {
  constructor(private readonly named: readonly string[]) {}

  /** A page of another site may not write with the reader's network as its only right. Throws `forbidden`. */
  demandForWrite(context: Context): void {
    const origin = context.req.header("Origin");
    if (context.req.method === "POST" && origin && !this.#allows(origin, context)) throw foreign(origin);
  }

  /**
   * A request that a cookie speaks for has to come from a page of ours: a write has to say so, and to be JSON, which
   * no form sends. A read may come from a browser that says nothing. Throws `forbidden` or `invalid`.
   */
  demandOwnPage(context: Context): void {
    const origin = context.req.header("Origin");
    const site = context.req.header("Sec-Fetch-Site");
    const isWrite = !["GET", "HEAD"].includes(context.req.method);
    if (origin !== undefined) {
      if (!this.#allows(origin, context)) throw foreign(origin);
    } else if (isWrite ? site !== "same-origin" : site && !["same-origin", "none"].includes(site)) {
      throw foreign(site ? `a page that is ${site}` : "a page that names no Origin");
    }
    if (isWrite && !/^application\/json\s*(;|$)/i.test(context.req.header("Content-Type") ?? "")) {
      throw new SpacefeedError("invalid", "with a cookie, a write needs Content-Type: application/json");
    }
  }

  #allows(origin: string, context: Context): boolean {
    return this.named.includes("*") || this.named.includes(origin) || isSame(origin, context);
  }
}

function foreign(whose: string): SpacefeedError {
  const error = `not allowed: pages of ${whose} may not do this here; name their origin in CORS_ORIGINS`;
  return new SpacefeedError("forbidden", error);
}

function isSame(origin: string, context: Context): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, host } = new URL(origin);
  // An application with a scheme of its own may call its host as it likes.
  return /^https?:$/.test(protocol) && host === context.req.header("Host");
}
