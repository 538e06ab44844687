import { Agent, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";

/** Longer than anything here takes: what has not answered by then hangs. */
const HANGS_MS = 20_000;

export interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  text: string;
}

/** Sends what it is told to, on connections that are used again. */
export class FuzzLine {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 2 });

  constructor(readonly url: URL) {}

  /** The answer, whole; of a stream its first two frames. */
  send(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string | Uint8Array,
  ): Promise<Answer> {
    const { hostname, port } = this.url;
    // Node leaves the length out where the method rarely has a body.
    const length = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      const options = {
        agent: this.#agent,
        hostname,
        port,
        method,
        path,
        headers: { ...headers, ...length },
      };
      const asking = request(options, (response) => {
        const pieces: Buffer[] = [];
        const isStream = response.headers["content-type"]?.startsWith("text/event-stream") ?? false;
        const done = () => {
          clearTimeout(timer);
          const text = Buffer.concat(pieces).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        };
        response.on("data", (piece: Buffer) => {
          pieces.push(piece);
          if (!isStream || Buffer.concat(pieces).toString().split("\n\n").length < 3) return;
          done();
          response.destroy();
        });
        response.once("end", done).once("error", reject);
      });
      const timer = setTimeout(() => asking.destroy(new Error("hangs")), HANGS_MS);
      asking.once("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
      asking.end(body);
    });
  }

  /** Writes the bytes and says that no more will come: what comes back until the other side has closed. */
  raw(bytes: Uint8Array): Promise<string> {
    return new Promise((resolve, reject) => {
      let text = "";
      const socket = connect({ host: this.url.hostname, port: Number(this.url.port), allowHalfOpen: true });
      const timer = setTimeout(() => {
        socket.destroy();
        reject(new Error(`a socket hangs after ${JSON.stringify(text.slice(-300))}`));
      }, HANGS_MS);
      socket.setEncoding("latin1").on("data", (piece: string) => {
        text += piece;
        if (text.includes("text/event-stream")) socket.destroy();
      });
      socket.on("error", () => {}); // reset: "close" follows
      socket.once("close", () => {
        clearTimeout(timer);
        resolve(text);
      });
      socket.end(bytes);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
