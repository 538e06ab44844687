import type { ServerResponse } from "node:http";
import { encodeRetry } from "../protocol/sse.js";
import type { Metrics } from "./metrics.js";

/** Bytes that may wait for a reader before it is cut off (P10). It resumes from its cursor. */
const BUFFER_LIMIT = 1024 * 1024;
const RETRY_MS = 1_000;

/** One open SSE response, written as Buffers that other connections share. */
export class Connection {
  readonly #response: ServerResponse;
  readonly #metrics: Metrics;
  readonly #leaving: (() => void)[] = [];

  constructor(response: ServerResponse, endpoint: "stream" | "sync", headers: Headers, metrics: Metrics) {
    this.#response = response;
    this.#metrics = metrics;
    // What the middleware has set (CORS) would be lost: this response does not go through Hono.
    for (const [name, value] of headers) response.setHeader(name, value);
    response.writeHead(200, {
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-cache, no-transform",
      "X-Accel-Buffering": "no",
    });
    response.socket?.setNoDelay(true);
    metrics.clients.inc({ endpoint });
    response.once("close", () => {
      metrics.clients.dec({ endpoint });
      for (const leave of this.#leaving) leave();
    });
    response.on("error", () => {}); // the reader went away; "close" follows
    // Spread, so that the readers of a relay that stopped do not all come back at once.
    this.write(encodeRetry(RETRY_MS + Math.round(Math.random() * RETRY_MS)));
  }

  /** Runs when the reader is gone; at once when it is gone already. */
  onClose(leave: () => void): void {
    if (this.#response.closed) leave();
    else this.#leaving.push(leave);
  }

  /** True while more waits for the reader than its socket takes. */
  get isFull(): boolean {
    return this.#response.writableNeedDrain;
  }

  /** Runs once when a full connection has taken all that waits. */
  onceDrained(callback: () => void): void {
    this.#response.once("drain", callback);
  }

  write(frame: Buffer): void {
    if (this.#response.writableEnded || this.#response.destroyed) return;
    if (this.#response.writableLength > BUFFER_LIMIT) {
      this.#metrics.cutOff.inc();
      this.#response.destroy();
      return;
    }
    this.#metrics.bytes.inc(frame.length);
    this.#metrics.events.inc();
    this.#response.write(frame);
  }

  end(): void {
    this.#response.end();
  }
}
