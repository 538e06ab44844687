import type { HttpBindings } from "@hono/node-server";
import type { MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import { SpacefeedError } from "../../protocol/errors.js";
import type { Claims } from "../postgres/functions.js";
import type { Origins } from "./origin.js";
import { createVerify, type TokenConfig } from "./token.js";

/** Who asks. What he may do is decided in SQL, by his claims. */
export interface Caller {
  claims: Claims;
  /** When the claims end, in milliseconds since 1970; null: never. */
  expiresAt: number | null;
}

/** What a route under /api has of its request. */
export type Env = { Bindings: HttpBindings; Variables: { caller: Caller } };

const ANYBODY: Caller = { claims: null, expiresAt: null };
/** Where people put tokens, and where proxies and browsers keep them. */
const IN_ADDRESS = ["token", "access_token", "id_token", "jwt"];

/** Finds out who asks: without `tokens` everybody is nobody in particular. Throws `unauthorized`. */
export function identify(tokens: TokenConfig | null, origins: Origins): MiddlewareHandler<Env> {
  const verify = tokens && createVerify(tokens);
  return async (context, next) => {
    if (IN_ADDRESS.some((name) => context.req.query(name) !== undefined)) {
      throw new SpacefeedError(
        "invalid",
        "a token does not belong in an address, which is kept in logs: send it as `Authorization: Bearer …`",
      );
    }
    if (!tokens || !verify) {
      context.set("caller", ANYBODY);
      return next();
    }
    const given = context.req.header("Authorization");
    const cookie = tokens.cookie === undefined ? undefined : getCookie(context, tokens.cookie);
    if (given === undefined && cookie) {
      // The browser sends a cookie by itself, whatever page asks for it.
      origins.demandOwnPage(context);
      context.set("caller", await verify(cookie));
      return next();
    }
    const token = given?.match(/^Bearer +([\w.~+/=-]+) *$/i)?.[1];
    if (!token) {
      const places = tokens.cookie === undefined ? "" : `, or in the cookie ${tokens.cookie}`;
      throw new SpacefeedError(
        "unauthorized",
        `a token is needed here: send one as \`Authorization: Bearer …\`${places}`,
      );
    }
    context.set("caller", await verify(token));
    return next();
  };
}
