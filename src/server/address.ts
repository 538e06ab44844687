import { isIP } from "node:net";
import type { Context } from "hono";
import type { Env } from "./request.js";

/**
 * Whose request it is, for limits: an IPv4 address, or the /64 of an IPv6 one, which is one customer's. Null for
 * this machine itself, which is not limited. `trustProxy`: how many proxies stand before the relay; each has added
 * the address of whom it heard to X-Forwarded-For, and what is before those may be forged.
 */
export function addressOf(context: Context<Env>, trustProxy: number): string | null {
  const socket = context.env.incoming.socket.remoteAddress ?? "";
  const forwarded = context.req.header("X-Forwarded-For")?.split(",") ?? [];
  const hops = [...forwarded.map((hop) => hop.trim()), socket];
  const claimed = hops[Math.max(0, hops.length - 1 - trustProxy)] as string;
  const address = (isIP(claimed) ? claimed : socket).replace(/^::ffff:(?=\d+\.)/i, "");
  if (address.startsWith("127.") || address === "::1") return null;
  return isIP(address) === 6 ? network(address) : address;
}

function network(address: string): string {
  const [head = "", tail] = address.split("::");
  const groups = head.split(":").filter(Boolean);
  const rest = tail?.split(":").filter(Boolean) ?? [];
  const zeros = Array<string>(Math.max(0, 8 - groups.length - rest.length)).fill("0");
  const all = tail === undefined ? groups : [...groups, ...zeros, ...rest];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
