import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";

// biome-ignore lint/suspicious/noExplicitAny: any event
export type Event = Record<string, any>;

/** One stream through a broken relay. */
export interface Flow {
  /** Events of the group that has begun. */
  begun: Event[];
  /** Whole groups so far. */
  groups: number;
  /** The client takes no more at the moment. */
  isBlocked: boolean;
}

/** Bytes that wait for a client that is slow. */
const MUCH = 1_000_000;

/** What a relay does wrong. Unless said, it does what it should. */
export interface Fault {
  /** Whole groups instead of each, also none. */
  group?(group: Event[], flow: Flow): Event[][];
  heartbeat?(beat: Event): Event | null;
  /** The SSE id of an event; null: none. */
  id?(event: Event): string | null;
  /** Changes what is asked. */
  request?(request: Request): Request | Promise<Request>;
  /** Instead of an answer that is no stream. */
  answer?(answer: Response, request: Request): Response | Promise<Response>;
}

/** Stands before a real relay and makes a broken one of it. */
export class BrokenRelay {
  readonly #server: Server;

  private constructor(
    private readonly target: string,
    private readonly fault: Fault,
  ) {
    this.#server = createServer(async (incoming, outgoing) => {
      const closing = new AbortController();
      outgoing.on("close", () => closing.abort());
      try {
        const pieces: Buffer[] = [];
        for await (const piece of incoming) pieces.push(piece as Buffer);
        const { host: _, connection: __, ...headers } = incoming.headers as Record<string, string>;
        const asked = new Request(new URL(incoming.url ?? "/", this.target), {
          method: incoming.method ?? "GET",
          headers,
          ...(pieces.length > 0 && { body: Buffer.concat(pieces) }),
        });
        const request = (await this.fault.request?.(asked.clone())) ?? asked;
        const answer = await fetch(request.clone(), { signal: closing.signal });
        const isStream = answer.headers.get("content-type")?.startsWith("text/event-stream");
        const {
          status,
          headers: answered,
          body,
        } = isStream ? answer : ((await this.fault.answer?.(answer, request)) ?? answer);
        outgoing.writeHead(status, { ...Object.fromEntries(answered), connection: "close" });
        outgoing.flushHeaders();
        const flow: Flow = { begun: [], groups: 0, isBlocked: false };
        let rest = "";
        for await (const chunk of body ? Readable.fromWeb(body as never).setEncoding("utf8") : []) {
          if (!isStream) outgoing.write(chunk);
          else {
            const messages = (rest + chunk).split("\n\n");
            rest = messages.pop() ?? "";
            flow.isBlocked = outgoing.writableLength > MUCH;
            const text = messages.map((message) => this.#spoilt(message, flow)).join("");
            outgoing.write(text);
          }
        }
        outgoing.end();
      } catch {
        outgoing.destroy(); // one of the two has gone
      }
    });
  }

  static async before(target: string, fault: Fault): Promise<BrokenRelay> {
    const relay = new BrokenRelay(target, fault);
    relay.#server.listen(0, "127.0.0.1");
    await once(relay.#server, "listening");
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #spoilt(message: string, flow: Flow): string {
    const { group, heartbeat, id } = this.fault;
    const json = /^data: (.*)$/m.exec(message)?.[1];
    if (json === undefined) return `${message}\n\n`;
    const event = JSON.parse(json) as Event;
    if (message.startsWith("event: heartbeat")) {
      const beat = heartbeat ? heartbeat(event) : event;
      return beat ? `event: heartbeat\ndata: ${JSON.stringify(beat)}\n\n` : "";
    }
    if (event.type === "stream" || event.type === "space-refused") return `${message}\n\n`;
    flow.begun.push(event);
    if (event.cursor === undefined) return "";
    const whole = flow.begun.splice(0);
    const groups = group ? group(whole, flow) : [whole];
    flow.groups++;
    return groups
      .flat()
      .map((each) => {
        const line = id
          ? id(each)
          : each.spaceId && each.type !== "space-sync"
            ? null
            : (each.cursor ?? null);
        const isNamed = !/^id: /m.test(message);
        return `${line !== null && (id || !isNamed) ? `id: ${line}\n` : ""}data: ${JSON.stringify(each)}\n\n`;
      })
      .join("");
  }
}
