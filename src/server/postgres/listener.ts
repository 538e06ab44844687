import { randomUUID } from "node:crypto";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import pgListen, { type Subscriber } from "pg-listen";
import type { Logger } from "pino";
import { SpacefeedError } from "../../protocol/errors.js";

// Connecting ──ok──▶ listening ──lost, or a check fails──▶ connecting ──close()──▶ closed
//
// What is notified while connecting is lost. So `onListening` is called each time that LISTEN stands again,
// and whoever cares looks for himself what has happened meanwhile.

const CHANNEL = "spacefeed";
const CONNECT_MS = 5_000;
/** A round trip takes at most this long, or the connection counts as half-open. */
const ROUND_TRIP_MS = 3_000;
const CHECK_EVERY_MS = 5_000;
const BACKOFF_MAX_MS = 2_000;
const PING = "ping ";

export interface ListenerOptions {
  /** Must lead to a session: LISTEN does not work through a pooler in transaction mode. */
  url: string;
  /** "<version> <space_id>": a space was raised. */
  onWake(spaceId: string): void;
  /** "record": a commit has left it to the relays to record it. */
  onLeft(): void;
  /** LISTEN stands, for the first time or again. */
  onListening(): void;
  log: Logger;
}

/** Knows Postgres' notifications, and nothing of HTTP. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #pings = new Map<string, () => void>();
  readonly #closing = new AbortController();
  #subscriber: Subscriber<{ [channel: string]: string }> | undefined;
  #socket: Socket | undefined;
  #state: "connecting" | "listening" | "closed" = "connecting";
  #check: NodeJS.Timeout | undefined;
  #isProven = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  get listening(): boolean {
    return this.#state === "listening";
  }

  /** Connects, and proves that notifications of others arrive. Throws `config` when they do not. */
  async start(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      this.#drop();
      if (error instanceof SpacefeedError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new SpacefeedError(
        "config",
        `cannot LISTEN: ${reason}; see LISTEN_DATABASE_URL and DATABASE_URL`,
        {
          cause: error,
        },
      );
    }
    this.#check = setInterval(() => void this.#checkUp(), CHECK_EVERY_MS);
  }

  /** Sends a notification to itself and waits for it, at most 3 s: true when it came. */
  async roundTrip(): Promise<boolean> {
    const subscriber = this.#subscriber;
    return subscriber ? this.#hears((payload) => subscriber.notify(CHANNEL, payload)) : false;
  }

  /**
   * The same from another session. A pooler in transaction mode lets a notification to ourselves through, with the
   * answer to the NOTIFY, and no other.
   */
  async #hearsOthers(): Promise<boolean> {
    const other = new pg.Client({
      connectionString: this.#options.url,
      application_name: "spacefeed listener",
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: ROUND_TRIP_MS,
    });
    other.on("error", () => {}); // what is under way rejects as well
    try {
      await other.connect();
      return await this.#hears((payload) => other.query("select pg_notify($1, $2)", [CHANNEL, payload]));
    } finally {
      void other.end().catch(() => {});
    }
  }

  async #hears(send: (payload: string) => Promise<unknown>): Promise<boolean> {
    const payload = PING + randomUUID();
    const heard = new Promise<boolean>((resolve) => this.#pings.set(payload, () => resolve(true)));
    const timer = new AbortController();
    try {
      const sent = send(payload).then(
        () => heard,
        () => false,
      );
      return await Promise.race([sent, sleep(ROUND_TRIP_MS, false, { signal: timer.signal })]);
    } finally {
      timer.abort();
      this.#pings.delete(payload);
    }
  }

  async close(): Promise<void> {
    this.#state = "closed";
    this.#closing.abort();
    clearInterval(this.#check);
    const subscriber = this.#subscriber;
    const socket = this.#socket;
    if (!subscriber || !socket || socket.destroyed) return this.#drop();
    // The goodbye is for Postgres' log; a half-open connection would never answer it.
    const closed = new Promise((resolve) => socket.once("close", resolve));
    void subscriber.close()?.catch(() => {});
    await Promise.race([closed, sleep(500, undefined, { ref: false })]);
    this.#drop();
  }

  async #connect(): Promise<void> {
    const { url, log } = this.#options;
    const subscriber = pgListen.default<{ [channel: string]: string }>(
      {
        connectionString: url,
        application_name: "spacefeed listener",
        connectionTimeoutMillis: CONNECT_MS,
        query_timeout: ROUND_TRIP_MS, // of LISTEN itself, when the line goes silent before its answer
        stream: () => {
          this.#socket = new Socket();
          return this.#socket;
        },
      },
      // Its own reconnect is off: it gives up when LISTEN fails, and never sees a half-open connection.
      { retryLimit: 1, paranoidChecking: false, parse: (text) => text, serialize: (text) => text },
    );
    this.#subscriber = subscriber;
    subscriber.notifications.on(CHANNEL, (payload) => this.#hear(payload));
    subscriber.events.on("error", (error) => {
      if (subscriber === this.#subscriber) void this.#reconnect(error);
    });
    await subscriber.connect();
    await subscriber.listenTo(CHANNEL);
    if (!(await (this.#isProven ? this.roundTrip() : this.#hearsOthers()))) {
      throw new SpacefeedError(
        "config",
        "LISTEN does not work: a notification did not arrive. If DATABASE_URL leads through a " +
          "pooler in transaction mode (PgBouncer), set LISTEN_DATABASE_URL to the Postgres behind it.",
      );
    }
    if (this.#state === "closed") return this.#drop();
    this.#isProven = true;
    this.#state = "listening";
    log.debug("listening");
    this.#options.onListening();
  }

  #hear(payload: string | undefined): void {
    if (!payload) return;
    if (payload.startsWith(PING)) this.#pings.get(payload)?.();
    else if (payload === "record") this.#options.onLeft();
    else this.#options.onWake(payload.slice(payload.indexOf(" ") + 1));
  }

  async #checkUp(): Promise<void> {
    if (this.#state !== "listening") return;
    const subscriber = this.#subscriber;
    const alive = await this.roundTrip();
    if (!alive && subscriber === this.#subscriber)
      void this.#reconnect(new Error("no answer to a round trip"));
  }

  async #reconnect(reason: unknown): Promise<void> {
    if (this.#state !== "listening") return;
    this.#state = "connecting";
    this.#options.log.warn({ err: reason }, "LISTEN was lost; reconnecting");
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      this.#drop();
      try {
        await this.#connect();
        this.#options.log.info({ attempt }, "LISTEN works again");
        return;
      } catch (error) {
        this.#options.log.debug({ err: error, attempt }, "LISTEN does not work yet");
      }
      const backoff = Math.min(50 * 2 ** attempt, BACKOFF_MAX_MS);
      await sleep(backoff * (0.5 + Math.random() / 2), undefined, { signal: this.#closing.signal }).catch(
        () => {},
      );
    }
  }

  /** Forgets the connection at once: end() would wait for a half-open one. */
  #drop(): void {
    this.#subscriber = undefined;
    this.#socket?.destroy();
    this.#socket = undefined;
  }
}
