import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Group, State } from "../../../src/client/replica.js";
import { encodeGroup, encodeHeartbeat, encodeRetry } from "../../../src/protocol/sse.js";

/** One stream that a client has opened. */
export class ServedStream {
  isOpen = true;

  constructor(
    readonly since: string | null,
    readonly headers: IncomingHttpHeaders,
    readonly response: ServerResponse,
  ) {
    response.on("close", () => {
      this.isOpen = false;
    });
  }

  /** A group, or several in one piece. Only the last event of each has a cursor. */
  send(...groups: Group[]): void {
    const frames = groups.map((group) => {
      const events = group.map((event) => JSON.stringify(event));
      return encodeGroup(events, group.at(-1)?.cursor ?? "");
    });
    this.response.write(Buffer.concat(frames));
  }

  beat(version: number | null, everyMs = 2_000): void {
    this.response.write(encodeHeartbeat(version, everyMs));
  }

  /** Events whose group does not end. */
  begin(group: Group): void {
    for (const event of group) this.response.write(`data: ${JSON.stringify(event)}\n\n`);
  }

  /** Whatever bytes. */
  write(text: string): void {
    this.response.write(text);
  }

  /** The connection breaks, or ends as it should. */
  cut(): void {
    this.response.destroy();
  }

  end(): void {
    this.response.end();
  }
}

/** A relay that says what a test tells it to: the real one would not do such things. */
export class SseServer {
  readonly streams: ServedStream[] = [];
  /** The If-None-Match of each poll. */
  readonly polls: (string | undefined)[] = [];
  /** What a poll gets; null: nothing new, undefined: 503. */
  state: State | null | undefined;
  /** What a poll's answer waits for. */
  held: Promise<unknown> | undefined;
  /** Called when a stream was opened, for what it gets at once. */
  opened: (stream: ServedStream) => void = () => {};
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const url = new URL(request.url ?? "/", "http://127.0.0.1");
      if (url.pathname === "/api/stream") {
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        response.write(encodeRetry(1_000));
        const stream = new ServedStream(url.searchParams.get("since"), request.headers, response);
        this.streams.push(stream);
        this.opened(stream);
        return;
      }
      this.polls.push(request.headers["if-none-match"]);
      await this.held;
      const status = this.state === undefined ? 503 : this.state === null ? 304 : 200;
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(this.state ? JSON.stringify({ spaceId: "here", ...this.state }) : undefined);
    });
  }

  static async start(): Promise<SseServer> {
    const server = new SseServer();
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
