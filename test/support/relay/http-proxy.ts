import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A request that came, and what it was answered with. */
export interface Asked {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  /** The JSON of the body; undefined without one. */
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into it
  body: any;
  status?: number;
}

/** What becomes of a request. */
export type Verdict =
  | "pass"
  /** The server never sees it: the connection breaks. */
  | "lose request"
  /** The server has done it, and its answer does not arrive. */
  | "lose answer"
  /** The same, and something happens before the connection breaks. */
  | { lose: () => Promise<unknown> }
  /** Something happens between the server's answer and its arrival. */
  | { late: () => Promise<unknown> }
  /** The answer begins, and no byte of its body comes, as with a proxy that buffers. */
  | "buffer"
  /** Somebody else's answer; `endless`: more of it is always about to come. */
  | { status: number; type?: string; text?: string; endless?: boolean };

/** Stands between a client and the relay, knows HTTP, and fails as what stands there does. */
export class HttpProxy {
  /** Every request, in the order in which they came. */
  readonly asked: Asked[] = [];
  /** Asked for each request. */
  rule: (asked: Asked) => Verdict | Promise<Verdict> = () => "pass";
  /** Milliseconds that each piece is on its way, in each direction. */
  delayMs = 0;
  /** The same for what streams bring, beside that. */
  streamDelayMs = 0;
  readonly #target: URL;
  readonly #server: Server;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, outgoing) => {
      outgoing.on("error", () => {});
      this.#serve(incoming, outgoing).catch(() => outgoing.destroy());
    });
  }

  static async before(target: string): Promise<HttpProxy> {
    const proxy = new HttpProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The requests for a path. */
  of(path: string): Asked[] {
    return this.asked.filter((asked) => asked.path === path);
  }

  /** Connections that are open. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
    });
  }

  /** Breaks every connection; new ones are as before. */
  cut(): void {
    this.#server.closeAllConnections();
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    const { method = "GET", headers } = incoming;
    const url = new URL(incoming.url ?? "/", this.url);
    const json = body.length > 0 ? JSON.parse(body.toString()) : undefined;
    const asked: Asked = { method, path: url.pathname, query: url.searchParams, headers, body: json };
    this.asked.push(asked);
    const verdict = await this.rule(asked);
    if (this.delayMs > 0) await sleep(this.delayMs);
    if (verdict === "lose request") {
      outgoing.destroy();
    } else if (typeof verdict === "object" && "status" in verdict) {
      asked.status = verdict.status;
      const { status, type = "text/html", text = "<html>", endless = false } = verdict;
      outgoing.writeHead(status, { "Content-Type": type }).write(text);
      if (!endless) outgoing.end();
    } else {
      const answer = await this.#forward(asked, body, incoming, outgoing);
      asked.status = answer.statusCode ?? 0;
      if (typeof verdict === "object" && "late" in verdict) await verdict.late();
      if (verdict === "lose answer" || (typeof verdict === "object" && "lose" in verdict)) {
        for await (const _ of answer);
        if (typeof verdict === "object") await verdict.lose();
        outgoing.destroy();
      } else {
        const extraMs = () => (asked.path === "/api/stream" ? this.streamDelayMs : 0);
        await this.#answer(answer, outgoing, verdict === "buffer", extraMs);
      }
    }
  }

  async #forward(
    { method, headers }: Asked,
    body: Buffer,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
  ) {
    const asking = request(new URL(incoming.url ?? "/", this.#target), { method, headers });
    outgoing.once("close", () => asking.destroy());
    asking.end(body);
    const [answer] = (await once(asking, "response")) as [IncomingMessage];
    return answer;
  }

  async #answer(
    answer: IncomingMessage,
    outgoing: ServerResponse,
    isBuffered: boolean,
    extraMs: () => number,
  ): Promise<void> {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    outgoing.flushHeaders();
    const late = (work: () => void) => {
      const ms = this.delayMs + extraMs();
      if (ms > 0) setTimeout(work, ms);
      else work();
    };
    answer.on("error", () => {});
    answer.on("data", (piece) => late(() => !isBuffered && outgoing.write(piece)));
    const [isWhole] = await Promise.race([
      once(answer, "end").then(() => [true]),
      once(answer, "close").then(() => [false]),
    ]);
    late(() => (isWhole ? outgoing.end() : outgoing.destroy()));
  }
}
