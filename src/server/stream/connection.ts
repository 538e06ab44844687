import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { SpacefeedError } from "../../protocol/errors.js";
import { encodeRetry } from "../../protocol/sse.js";
import type { Metrics } from "../metrics.js";

/** Bytes that wait for a reader, above which it is set aside (P10). */
const BACKLOG_LIMIT = 256 * 1024;
/** A reader that has taken nothing at so many looks, one each 10 s, is cut off. It resumes from its cursor. */
const STUCK_LOOKS = 3;
const LOOK_MS = 10_000;
/** A connection is waited for so long. */
const TURN_MS = 100;
/** After so long a client comes back; up to twice as long, so that those of a relay that stopped do not come together. */
const COME_BACK_MS = 1_000;

/**
 * One open SSE response, written as Buffers that other connections share. Only its head goes through Node's HTTP:
 * the body has no length and no chunks, it goes to the socket as it is and ends with it. Nothing here may hold on to
 * the request, the response or what Hono made of them: there are many connections, and most of them are idle.
 */
export class Connection {
  readonly #socket: Socket;
  /** While something waits that the reader may never take. */
  #watching: NodeJS.Timeout | undefined;

  /** A browser may ask on a connection whose last answer has left, just before Node takes note of that. */
  static async turn(response: ServerResponse): Promise<void> {
    if (response.socket || response.destroyed) return;
    await once(response, "socket", { signal: AbortSignal.timeout(TURN_MS) }).catch(ignore);
  }

  /** Throws `invalid` where another answer is still due on the same connection. */
  constructor(
    response: ServerResponse,
    endpoint: "stream" | "sync",
    headers: Headers,
    private readonly metrics: Metrics,
  ) {
    const { socket } = response;
    if (!socket) {
      throw new SpacefeedError(
        "invalid",
        "another answer is still due on this connection: open the stream on a connection of its own",
      );
    }
    this.#socket = socket;
    // What the middleware has set (CORS) would be lost: this response does not go through Hono.
    for (const [name, value] of headers) response.setHeader(name, value);
    response.removeHeader("Transfer-Encoding"); // and leave it away
    socket.setNoDelay(true);
    socket.setMaxListeners(0); // each of the spaces that it follows may wait for it
    // The head and all that is there for a newcomer leave in one write.
    socket.cork();
    process.nextTick(() => socket.uncork());
    response.writeHead(200, STREAM_HEADERS).flushHeaders();
    response.removeAllListeners("close"); // Hono's, which has the request
    response.on("timeout", ignore); // or Node ends the connection by itself
    deafen(socket);
    metrics.clients.inc({ endpoint });
    // Also for who has left before this began.
    this.onClose(() => {
      clearInterval(this.#watching);
      metrics.clients.dec({ endpoint });
    });
    this.#write(encodeRetry(COME_BACK_MS + Math.round(Math.random() * COME_BACK_MS)));
  }

  get isClosed(): boolean {
    return this.#socket.closed;
  }

  /** Runs when the reader is gone; at once when it is gone already. */
  onClose(leave: () => void): void {
    if (this.isClosed) leave();
    else this.#socket.on("close", leave);
  }

  /** True while so much waits that nothing may be added. Then it will drain, or be cut off. */
  get isBehind(): boolean {
    return this.#socket.writableLength > BACKLOG_LIMIT;
  }

  /** Whether all has left for the client: the network may still have it. */
  get isDrained(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** Runs once when a connection that is behind has taken all that waits; never, when it is cut off first. */
  onceDrained(callback: () => void): void {
    this.#socket.once("drain", callback);
  }

  write(frame: Buffer): void {
    this.metrics.sent.frames++;
    this.#write(frame);
  }

  /** A reader with something to read needs no heartbeat. */
  heartbeat(frame: Buffer): void {
    const socket = this.#socket;
    if (socket.writableLength > 0 && socket.writableCorked === 0) this.#watch();
    else this.#write(frame);
  }

  /** What waits is sent first. The other side need not close: it may not be there any more. */
  end(): void {
    this.#socket.destroySoon();
    if (!this.#socket.destroyed) this.#watch();
  }

  #write(frame: Buffer): void {
    const socket = this.#socket;
    if (socket.writableEnded) return;
    this.metrics.sent.bytes += frame.length;
    if (!socket.write(frame) && socket.writableLength > 0 && socket.writableCorked === 0) this.#watch();
  }

  /** Slow is not stuck: as long as some of what waits is taken, it may take its time. */
  #watch(): void {
    if (this.#watching) return;
    const socket = this.#socket;
    let before = progressOf(socket);
    let looks = 0;
    this.#watching = setInterval(() => {
      const now = progressOf(socket);
      const moves = now.written > before.written || now.queued < before.queued;
      before = now;
      looks = moves ? 0 : looks + 1;
      if (socket.writableLength === 0 && !socket.writableEnded) {
        clearInterval(this.#watching);
        this.#watching = undefined;
      } else if (looks === STUCK_LOOKS) {
        this.metrics.cutOff.inc();
        socket.destroy();
      }
    }, LOOK_MS);
  }
}

/** The bytes of the writes that were taken whole, and what is left of the one under way: of a large one for long. */
function progressOf(socket: Socket): { written: number; queued: number } {
  const { _handle: handle } = socket as Socket & { _handle?: { writeQueueSize?: number } | null };
  return { written: socket.bytesWritten - socket.writableLength, queued: handle?.writeQueueSize ?? 0 };
}

export const STREAM_HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
  Connection: "close",
};

/**
 * What a client sends behind its request is no request: nothing would ever answer it, so nothing may be kept of it.
 * Of what came before the stream began some is heard already: then listen.ts closes the connection.
 */
function deafen(socket: Socket): void {
  socket.on("data", ignore);
  for (const listener of socket.listeners("data")) {
    if (listener !== ignore) socket.off("data", listener as () => void);
  }
}

function ignore(): void {}
