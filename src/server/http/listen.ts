import type { Server, ServerOptions } from "node:http";
import type { Socket } from "node:net";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { ErrorCode } from "../../protocol/errors.js";
import type { Metrics } from "../metrics.js";
import type { App } from "./app.js";
import { ownerOf } from "./limits/address.js";
import { Tally } from "./limits/tally.js";

/** What a connection may take before there is a request that Hono sees. */
export interface HttpLimits {
  /**
   * Milliseconds in which a request has to arrive whole, its head within 10 s. So long, or twice, may a client take
   * nothing of its answer.
   */
  requestMs: number;
  /** Milliseconds that a connection may be kept without a request. */
  idleMs: number;
  headerBytes: number;
  /** Connections, in all and of one address (but this machine's own). 0: any number of one. */
  connections: number;
  connectionsPerAddress: number;
}

const HEAD_MS = 10_000;
/** Requests on one connection that are not answered yet. Browsers and proxies send one at a time. */
const PIPELINED = 8;
/** What is answered to what never became a request, by Node's code: status, code, message, and reason in the metrics. */
const FAULTS: Record<string, [string, ErrorCode, string, string]> = {
  HPE_HEADER_OVERFLOW: [
    "431 Request Header Fields Too Large",
    "too_large",
    "the head of the request is too large: send fewer or shorter headers, or raise MAX_HEADER_BYTES",
    "header_size",
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [
    "408 Request Timeout",
    "unavailable",
    "the request did not arrive in time: send it again",
    "slow_request",
  ],
};
const NO_HTTP = ["400 Bad Request", "invalid", "this is not HTTP", "no_http"] as const;

/** Node's server for an app, with the limits of connections. */
export function createHttpServer(app: App, limits: HttpLimits, metrics: Metrics): Server {
  const serverOptions: ServerOptions = {
    headersTimeout: Math.min(HEAD_MS, limits.requestMs),
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    maxHeaderSize: limits.headerBytes,
    connectionsCheckingInterval: Math.min(1_000, limits.requestMs),
  };
  /** How many requests of a connection are not answered yet. Weak, since a stream ends with its socket. */
  const due = new WeakMap<Socket, number>();
  const cutOff = (socket: Socket, reason: string) => {
    metrics.refusals.inc({ reason });
    socket.destroy();
    return RESPONSE_ALREADY_SENT;
  };
  const server = createAdaptorServer({
    serverOptions,
    fetch: async (request, env) => {
      const { incoming, outgoing } = env as HttpBindings;
      const { socket } = incoming;
      const count = (due.get(socket) ?? 0) + 1;
      // Each answer waits in memory for those before it.
      if (count > PIPELINED) return cutOff(socket, "pipelined");
      due.set(socket, count);
      outgoing.once("close", () => due.set(socket, (due.get(socket) ?? 1) - 1));
      const response = await app.fetch(request, env as HttpBindings);
      // Hono wraps what a handler returns once more when a middleware has set a header; then the marker of a
      // stream, whose response is written by us, would no longer be seen.
      if (outgoing.headersSent) {
        // What was asked behind a stream would be answered into memory, since the stream comes first.
        return due.get(socket) === 1 ? RESPONSE_ALREADY_SENT : cutOff(socket, "pipelined");
      }
      // As long as some of it is taken it may take its time. Node counts what goes out at once, too: then this comes
      // after the second time.
      outgoing.setTimeout(limits.requestMs, () => cutOff(socket, "unread"));
      return response;
    },
  }) as Server;
  server.maxConnections = limits.connections;
  server.on("drop", () => metrics.refusals.inc({ reason: "connections" }));
  if (limits.connectionsPerAddress > 0) {
    const open = new Tally();
    server.on("connection", (socket: Socket) => {
      const owner = ownerOf(socket.remoteAddress ?? "");
      if (owner === null) return;
      if (open.of(owner) >= limits.connectionsPerAddress) return cutOff(socket, "connections_per_address");
      socket.once("close", open.enter(owner));
    });
  }
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) return socket.destroy();
    const [status, code, message, reason] = FAULTS[error.code ?? ""] ?? NO_HTTP;
    metrics.refusals.inc({ reason });
    // In the midst of another answer, which may never be taken, it would not be one.
    if (socket.writableLength > 0) return socket.destroy();
    const body = JSON.stringify({ success: false, error: message, code });
    const again = code === "unavailable" ? "Retry-After: 1\r\n" : "";
    socket.write(
      `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json\r\n${again}` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
    socket.destroySoon(); // the other side need not close
  });
  return server;
}
