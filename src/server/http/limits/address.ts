import { isIP, isIPv4, SocketAddress } from "node:net";
import type { Context } from "hono";
import { expandIPv6 } from "hono/utils/ipaddr";
import type { Env } from "../../auth/caller.js";

const LOOPBACK = "::1";
/** As proxies write one: an IPv6 address in brackets or bare, and perhaps a port. */
const HOP = /^(?:\[(.+)\]|([\d.]+))(?::\d+)?$/;

/**
 * Whose request it is, for limits: an IPv4 address, or the /64 of an IPv6 one, which is one customer's. Null for
 * this machine itself, which is not limited. `trustProxy`: how many proxies stand before the relay; each has added
 * the address of its own client to X-Forwarded-For, and what is before those may be forged. So what a proxy says is
 * never this machine, and where it says nothing that can be read, the limits are the proxy's own.
 */
export function addressOf(context: Context<Env>, trustProxy: number): string | null {
  const socket = context.env.incoming.socket.remoteAddress ?? "";
  const hops = trustProxy > 0 ? context.req.header("X-Forwarded-For")?.split(",") : undefined;
  if (hops === undefined) return ownerOf(socket);
  const claimed = (hops.at(-trustProxy) ?? hops[0] ?? "").trim().replace(HOP, "$1$2");
  return network(isIP(claimed) ? claimed : socket);
}

/** Whose connection it is, likewise. */
export function ownerOf(address: string): string | null {
  const owner = network(address);
  return owner.startsWith("127.") || owner === LOOPBACK ? null : owner;
}

function network(address: string): string {
  if (isIP(address) !== 6) return address;
  const plain = new SocketAddress({ address, family: "ipv6" }).address; // however it is spelt
  const mapped = plain.replace(/^::ffff:/, "");
  if (isIPv4(mapped) || plain === LOOPBACK) return mapped;
  return expandIPv6(plain).split(":").slice(0, 4).join(":");
}
