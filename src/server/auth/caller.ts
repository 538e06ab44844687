import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import { SpacefeedError } from "../../protocol/errors.js";
import type { Origins } from "./origin.js";
import { type Caller, createVerify, type TokenConfig } from "./token.js";

export type { Caller };

/** What a route under /api has of its request. */
export type Env = { Bindings: HttpBindings; Variables: { caller: Caller } };

const ANONYMOUS: Caller = { claims: null, expiresAt: null };
/** Where people put tokens, and where proxies and browsers keep them. */
const IN_ADDRESS = ["token", "access_token", "id_token", "jwt"];

/**
 * Finds out who asks: without `tokens` every caller is anonymous. Throws `unauthorized`, or `forbidden` for a
 * page that may not ask.
 */
export function identify(tokens: TokenConfig | null, origins: Origins): MiddlewareHandler<Env> {
  const verify = tokens && createVerify(tokens);
  return async (context, next) => {
    origins.demandForWrite(context);
    if (IN_ADDRESS.some((name) => context.req.query(name) !== undefined)) {
      throw new SpacefeedError(
        "invalid",
        "a token does not belong in an address, which is kept in logs: send it as `Authorization: Bearer …`",
      );
    }
    context.set("caller", verify ? await verify(tokenIn(context, tokens?.cookie, origins)) : ANONYMOUS);
    return next();
  };
}

function tokenIn(context: Context, cookieName: string | undefined, origins: Origins): string {
  const given = context.req.header("Authorization");
  const cookie = cookieName && getCookie(context, cookieName);
  if (given === undefined && cookie) {
    // The browser sends a cookie by itself, whatever page asks for it.
    origins.demandOwnPage(context);
    return cookie;
  }
  const token = given?.match(/^Bearer +([\w.~+/=-]+) *$/i)?.[1];
  if (token) return token;
  const places = cookieName === undefined ? "" : `, or in the cookie ${cookieName}`;
  throw new SpacefeedError(
    "unauthorized",
    `a token is needed here: send one as \`Authorization: Bearer …\`${places}`,
  );
}
