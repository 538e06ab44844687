import { once } from "node:events";
import { type AddressInfo, createServer, type Server, Socket } from "node:net";

/** What becomes of the bytes of one direction. */
type Gate = (bytes: Buffer) => Buffer;

const pass: Gate = (bytes) => bytes;
const swallow: Gate = () => Buffer.alloc(0);

/** Stands between a client and a server, and fails as networks and servers do. */
export class TcpProxy {
  /** Connections that came so far. */
  accepted = 0;
  readonly #sockets = new Set<Socket>();
  readonly #stalled = new Set<Socket>();
  #target: { host: string; port: number };
  #lag = { delayMs: 0, bytesPerMs: Number.POSITIVE_INFINITY };
  #server: Server | undefined;
  #port = 0;
  #toServer: () => Gate = () => pass;
  #toClient: () => Gate = () => pass;

  private constructor(url: URL) {
    this.#target = targetOf(url);
  }

  /** A proxy to the server of a connection string, and the connection string that leads through it. */
  static async before(connectionString: string): Promise<{ proxy: TcpProxy; url: string }> {
    const url = new URL(connectionString);
    const proxy = new TcpProxy(url);
    await proxy.accept();
    url.hostname = "127.0.0.1";
    url.port = String(proxy.#port);
    return { proxy, url: url.href };
  }

  /** Takes new connections (again). */
  async accept(): Promise<void> {
    if (this.#server) return;
    this.#server = createServer((client) => this.#join(client)).listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Refuses new connections; those that are there stay. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** New connections lead to the server of another connection string. */
  lead(connectionString: string): void {
    this.#target = targetOf(new URL(connectionString));
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Swallows what is sent, in both directions, and says nothing: connections are half-open from here on. */
  swallow(directions: "both" | "to server" | "to client" = "both"): void {
    if (directions !== "to client") this.#toServer = () => swallow;
    if (directions !== "to server") this.#toClient = () => swallow;
  }

  /** Lets connections go half-open, each from the first piece on that has this text to the server. */
  swallowFrom(text: string): void {
    this.#toServer = () => {
      let isOpen = true;
      return (bytes) => {
        if (bytes.includes(text)) isOpen = false;
        return isOpen ? bytes : swallow(bytes);
      };
    };
  }

  /** Drops Postgres' notifications on new connections, as a pooler in transaction mode does. */
  dropNotifications(): void {
    this.#toClient = () => withoutNotifications();
  }

  /**
   * From here on whoever is connected hears nothing any more, not even that the other side has gone; new
   * connections are served. As behind a router that has forgotten what it forwarded.
   */
  stall(): void {
    for (const socket of this.#sockets) {
      this.#stalled.add(socket);
      socket.pause();
    }
  }

  /** Every piece takes so long, in both directions; pieces do not overtake one another. */
  slow(delayMs: number, bytesPerMs = Number.POSITIVE_INFINITY): void {
    this.#lag = { delayMs, bytesPerMs };
  }

  /** Forwards everything again, at once; what was swallowed is gone, and who was stalled is cut. */
  restore(): void {
    this.slow(0);
    for (const socket of this.#stalled) socket.destroy();
    this.#stalled.clear();
    this.#toServer = () => pass;
    this.#toClient = () => pass;
  }

  close(): void {
    this.refuse();
    this.cut();
  }

  #join(client: Socket): void {
    this.accepted++;
    const server = new Socket().connect(this.#target);
    this.#forward(client, server, () => this.#toServer);
    this.#forward(server, client, () => this.#toClient);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        if (!this.#stalled.has(other)) other.destroy();
      });
    }
  }

  /** A change of the gates counts for connections that are there, too. */
  #forward(from: Socket, to: Socket, kind: () => () => Gate): void {
    let made = kind();
    let gate = made();
    from.on("data", (bytes: Buffer) => {
      if (kind() !== made) {
        made = kind();
        gate = made();
      }
      const passed = gate(bytes);
      if (passed.length === 0) return;
      const ms = this.#lag.delayMs + passed.length / this.#lag.bytesPerMs;
      if (ms === 0) {
        to.write(passed);
        return;
      }
      from.pause();
      setTimeout(() => {
        to.write(passed);
        if (!this.#stalled.has(from)) from.resume();
      }, ms);
    });
    from.on("end", () => to.end());
  }
}

function targetOf(url: URL): { host: string; port: number } {
  return { host: url.hostname, port: Number(url.port || 5432) };
}

/** Server messages are a type byte and a length that counts itself; the notification is of type A. */
function withoutNotifications(): Gate {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const whole: Buffer[] = [];
    while (rest.length >= 5) {
      const end = 1 + rest.readInt32BE(1);
      if (rest.length < end) break;
      if (rest[0] !== "A".charCodeAt(0)) whole.push(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
    return Buffer.concat(whole);
  };
}
