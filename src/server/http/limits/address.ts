import { isIP, isIPv4, SocketAddress } from "node:net";
import type { Context } from "hono";
import type { Env } from "../../auth/caller.js";

/** As proxies write one: an IPv6 address in brackets or bare, and perhaps a port. */
const HOP = /^(?:\[(.+)\]|([\d.]+))(?::\d+)?$/;

/**
 * Whose request it is, for limits: an IPv4 address, or the /64 of an IPv6 one, which is one customer's. Null for
 * this machine itself, which is not limited. `trustProxy`: how many proxies stand before the relay; each has added
 * the address of whom it heard to X-Forwarded-For, and what is before those may be forged. So what a proxy says is
 * never this machine, and where it says nothing that can be read, the limits are the proxy's own.
 */
export function addressOf(context: Context<Env>, trustProxy: number): string | null {
  const socket = context.env.incoming.socket.remoteAddress ?? "";
  const forwarded = trustProxy > 0 ? context.req.header("X-Forwarded-For") : undefined;
  if (forwarded === undefined) return ownerOf(socket);
  const hops = forwarded.split(",").map((hop) => hop.trim());
  const claimed = (hops[Math.max(0, hops.length - trustProxy)] as string).replace(HOP, "$1$2");
  return network(isIP(claimed) ? claimed : socket);
}

/** Whose connection it is, likewise. */
export function ownerOf(address: string): string | null {
  const owner = network(address);
  return owner.startsWith("127.") || owner === LOOPBACK ? null : owner;
}

const LOOPBACK = "::1";

function network(address: string): string {
  if (isIP(address) !== 6) return address;
  // However it is spelt.
  const plain = new SocketAddress({ address, family: "ipv6" }).address;
  const mapped = plain.replace(/^::ffff:/, "");
  if (isIPv4(mapped) || plain === LOOPBACK) return mapped;
  const [head = "", tail] = plain.split("::");
  const groups = head.split(":").filter(Boolean);
  const rest = tail?.split(":").filter(Boolean) ?? [];
  const zeros = Array<string>(Math.max(0, 8 - groups.length - rest.length)).fill("0");
  const all = tail === undefined ? groups : [...groups, ...zeros, ...rest];
  return all.slice(0, 4).join(":");
}
