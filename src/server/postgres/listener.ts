import { randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pgListen, { type Subscriber } from "pg-listen";
import type { Logger } from "pino";
import { SpacefeedError } from "../../protocol/errors.js";
import { RETRY_MS } from "../loader.js";
import { inSession } from "./session.js";

// connecting ──LISTEN stands──▶ listening ──lost, or no echo──▶ connecting          any ──close()──▶ closed
//
// What is notified while connecting is lost. So `onListening` is called each time that LISTEN stands again, and
// whoever cares looks for what has happened meanwhile.

const CHANNEL = "spacefeed";
/** A round trip takes at most this long, or the connection counts as half-open. */
const ROUND_TRIP_MS = 3_000;
const CHECK_EVERY_MS = 5_000;
const PING = "ping ";
const REACHED = "reached ";

export interface ListenerOptions {
  /** Must lead to a session: LISTEN does not work through a pooler in transaction mode. */
  url: string;
  /** "<version> <space_id>": a space was raised. */
  onWake(spaceId: string): void;
  /** "record": a commit has left it to the relays to record it. */
  onLeft(): void;
  /** "reached <space_id>": somebody wants to know which version all readers have. */
  onAsked?(spaceId: string): void;
  /** LISTEN stands, for the first time or again. */
  onListening(): void;
  log: Logger;
}

type Session = Subscriber<{ [channel: string]: string }>;

/** Knows Postgres' notifications, and nothing of HTTP. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #settings;
  readonly #pings = new EventEmitter();
  readonly #closing = new AbortController();
  #session: Session | undefined;
  #socket: Socket | undefined;
  #isListening = false;
  #check: NodeJS.Timeout | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#settings = {
      connectionString: options.url,
      application_name: "spacefeed listener",
      connectionTimeoutMillis: 5_000,
      query_timeout: ROUND_TRIP_MS, // of LISTEN too, when the line goes silent before its answer
    };
  }

  get listening(): boolean {
    return this.#isListening;
  }

  /** Connects, and proves that notifications of others arrive. Throws `config` when they do not. */
  async start(): Promise<void> {
    try {
      await this.#connect();
      if (!(await this.#hearsOthers())) {
        throw new SpacefeedError(
          "config",
          "LISTEN does not work: a notification did not arrive. If DATABASE_URL leads through a " +
            "pooler in transaction mode (PgBouncer), set LISTEN_DATABASE_URL to the Postgres behind it.",
        );
      }
    } catch (error) {
      await this.close();
      if (error instanceof SpacefeedError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      const message = `cannot LISTEN: ${reason}; see LISTEN_DATABASE_URL and DATABASE_URL`;
      throw new SpacefeedError("config", message, { cause: error });
    }
    this.#check = setInterval(() => void this.#checkUp(), CHECK_EVERY_MS);
  }

  /** Sends a notification to itself and waits for it, at most 3 s: true when it came. */
  async roundTrip(): Promise<boolean> {
    const session = this.#session;
    return session ? this.#echoes((ping) => session.notify(CHANNEL, ping)) : false;
  }

  /** A pooler in transaction mode lets a notification to ourselves through, with the answer to it, and no other. */
  async #hearsOthers(): Promise<boolean> {
    return inSession(this.#settings, (other) =>
      this.#echoes((ping) => other.query("select pg_notify($1, $2)", [CHANNEL, ping])),
    );
  }

  async #echoes(send: (ping: string) => Promise<unknown>): Promise<boolean> {
    const ping = PING + randomUUID();
    const echo = once(this.#pings, ping, { signal: AbortSignal.timeout(ROUND_TRIP_MS) });
    return Promise.all([echo, send(ping)]).then(
      () => true,
      () => false,
    );
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#isListening = false;
    clearInterval(this.#check);
    const socket = this.#socket;
    if (this.#session && socket && !socket.destroyed) {
      // The goodbye is for Postgres' log; a half-open connection would never answer it.
      const closed = new Promise((resolve) => socket.once("close", resolve));
      void this.#session.close()?.catch(() => {});
      await Promise.race([closed, sleep(500, undefined, { ref: false })]);
    }
    this.#socket?.destroy();
  }

  async #connect(): Promise<void> {
    this.#socket?.destroy(); // its end() would wait for a half-open one
    const socket = new Socket();
    this.#socket = socket;
    const session: Session = pgListen.default(
      { ...this.#settings, stream: () => socket },
      // Its own reconnect is off: it gives up when LISTEN fails, and goes on after close().
      { retryLimit: 1, paranoidChecking: false, parse: String, serialize: String },
    );
    this.#session = session;
    session.notifications.on(CHANNEL, (payload) => this.#hear(payload));
    session.events.on("error", (error) => void this.#reconnect(session, error));
    await session.connect();
    await session.listenTo(CHANNEL);
    this.#closing.signal.throwIfAborted();
    this.#isListening = true;
    this.#options.log.debug("listening");
    this.#options.onListening();
  }

  #hear(payload = ""): void {
    if (payload.startsWith(PING)) this.#pings.emit(payload);
    else if (payload === "record") this.#options.onLeft();
    else if (payload.startsWith(REACHED)) this.#options.onAsked?.(payload.slice(REACHED.length));
    else if (payload) this.#options.onWake(payload.slice(payload.indexOf(" ") + 1));
  }

  async #checkUp(): Promise<void> {
    const session = this.#session;
    if (!session || !this.#isListening || (await this.roundTrip())) return;
    void this.#reconnect(session, new Error("no answer to a round trip"));
  }

  async #reconnect(session: Session, reason: unknown): Promise<void> {
    if (!this.#isListening || session !== this.#session) return;
    this.#isListening = false;
    const { log } = this.#options;
    log.warn({ err: reason }, "LISTEN was lost: the relay reconnects by itself");
    while (!this.#closing.signal.aborted) {
      try {
        await this.#connect();
        log.info("LISTEN works again");
        return;
      } catch (error) {
        log.debug({ err: error }, "LISTEN does not work yet");
      }
      await sleep(RETRY_MS, undefined, { signal: this.#closing.signal }).catch(() => {});
    }
  }
}
