import type { ServerResponse } from "node:http";
import { encodeRetry } from "../protocol/sse.js";
import type { Metrics } from "./metrics.js";

/** Bytes that wait for a reader, above which it is set aside (P10). */
const BACKLOG_LIMIT = 256 * 1024;
/** A reader that takes nothing for so long is cut off. It resumes from its cursor. */
const STUCK_MS = 30_000;
const RETRY_MS = 1_000;

/** One open SSE response, written as Buffers that other connections share. */
export class Connection {
  readonly #response: ServerResponse;
  readonly #metrics: Metrics;
  readonly #leaving: (() => void)[] = [];
  #watch: NodeJS.Timeout | undefined;

  constructor(response: ServerResponse, endpoint: "stream" | "sync", headers: Headers, metrics: Metrics) {
    this.#response = response;
    this.#metrics = metrics;
    // What the middleware has set (CORS) would be lost: this response does not go through Hono.
    for (const [name, value] of headers) response.setHeader(name, value);
    response.writeHead(200, STREAM_HEADERS);
    response.socket?.setNoDelay(true);
    metrics.clients.inc({ endpoint });
    response.once("close", () => {
      for (const leave of this.#leaving) leave();
    });
    // Also for who has left before this began.
    this.onClose(() => {
      clearInterval(this.#watch);
      metrics.clients.dec({ endpoint });
    });
    response.on("error", () => {}); // the reader went away; "close" follows
    // Spread, so that the readers of a relay that stopped do not all come back at once.
    this.#write(encodeRetry(RETRY_MS + Math.round(Math.random() * RETRY_MS)));
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

  /** True while so much waits that nothing may be added. Then it is full too, and will drain or be cut off. */
  get isBehind(): boolean {
    return this.#response.writableLength > BACKLOG_LIMIT;
  }

  /** Runs once when a full connection has taken all that waits; never, when it is cut off first. */
  onceDrained(callback: () => void): void {
    this.#response.once("drain", callback);
  }

  write(frame: Buffer): void {
    this.#metrics.events.inc();
    this.#write(frame);
  }

  /** A reader with something to read needs no heartbeat. */
  heartbeat(frame: Buffer): void {
    if (!this.isFull) this.#write(frame);
  }

  end(): void {
    this.#response.end();
  }

  #write(frame: Buffer): void {
    if (this.#response.writableEnded || this.#response.destroyed) return;
    this.#metrics.bytes.inc(frame.length);
    if (!this.#response.write(frame)) this.#watchDrain();
  }

  /** Slow is not stuck: as long as the backlog shrinks, it may take its time. */
  #watchDrain(): void {
    if (this.#watch) return;
    let backlog = this.#response.writableLength;
    this.#watch = setInterval(() => {
      if (this.#response.writableLength >= backlog) {
        this.#metrics.cutOff.inc();
        this.#response.destroy();
      }
      backlog = this.#response.writableLength;
    }, STUCK_MS);
    this.#response.once("drain", () => {
      clearInterval(this.#watch);
      this.#watch = undefined;
    });
  }
}

export const STREAM_HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
};
