import { setTimeout as sleep } from "node:timers/promises";
import { SpacefeedError } from "../../protocol/errors.js";
import type { Caller } from "../auth/caller.js";
import type { Delivery } from "../feed/audience.js";
import type { Cursor } from "../feed/cursor.js";
import type { Metrics } from "../metrics.js";
import type { Database } from "../postgres/functions.js";
import { Door } from "./admission.js";
import type { Connection } from "./connection.js";

const RETRY_MS = 250;
/** In so many turns all streams are asked about, so that a slow policy is not asked for all of them at once. */
const TURNS = 10;
/** What a timer reaches; a later end is somebody else's. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * The permits of all open streams. Every `recheckMs` the database is asked again about each, together for those whose
 * turn it is: whoever may no longer read is ended, and hears why when he comes again. So is whose token expires.
 */
export class Permits {
  /** Whoever was asked about longest ago is first. */
  readonly #permits = new Set<Permit>();
  /** A door each, also beside that of newcomers: nobody waits behind a question that is less urgent. */
  readonly held: Door;
  readonly rechecked: Door;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    database: Database,
    readonly metrics: Metrics,
    readonly recheckMs: number,
  ) {
    this.held = new Door(database);
    this.rechecked = new Door(database);
  }

  /** The permit of a stream that was let in when the space was at `asked`. */
  issue(caller: Caller, spaceId: string, asked: Cursor, connection: Connection): Permit {
    const permit = new Permit(this, caller, spaceId, asked, connection);
    this.#permits.add(permit);
    this.#timer ??= setInterval(() => this.#recheck(), this.recheckMs / TURNS);
    connection.onClose(() => {
      permit.close();
      this.#permits.delete(permit);
      if (this.#permits.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
    return permit;
  }

  #recheck(): void {
    let due = Math.ceil(this.#permits.size / TURNS);
    for (const permit of this.#permits) {
      if (due-- === 0) break;
      this.#permits.delete(permit);
      this.#permits.add(permit);
      void permit.recheck();
    }
  }
}

/** That a stream may go on. */
export class Permit {
  readonly #permits: Permits;
  readonly #caller: Caller;
  readonly #spaceId: string;
  readonly #connection: Connection;
  /** Where the space was when the database last said yes: whatever leads no further is allowed. */
  #asked: Cursor;
  #expiry: NodeJS.Timeout | undefined;
  #isAsking = false;
  #isOver = false;

  constructor(permits: Permits, caller: Caller, spaceId: string, asked: Cursor, connection: Connection) {
    this.#permits = permits;
    this.#caller = caller;
    this.#spaceId = spaceId;
    this.#asked = asked;
    this.#connection = connection;
    if (caller.expiresAt === null) return;
    const left = caller.expiresAt - Date.now();
    if (left < LONGEST_MS) this.#expiry = setTimeout(() => this.#end("stream_expired"), left);
  }

  /** The stream is gone. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#expiry);
  }

  /**
   * Whether it has to be asked before this delivery: a being came, changed or went since the last answer, which may
   * be the reader's own. Nobody in particular has no being.
   */
  isTouchedBy({ reached, hasBeings }: Pick<Delivery, "reached" | "hasBeings">): boolean {
    if (this.#caller.claims === null || !hasBeings) return false;
    return reached.epoch !== this.#asked.epoch || reached.version > this.#asked.version;
  }

  /** Calls back once the database has said again that this stream may go on. If it says no, the stream ends. */
  async onceAllowed(goOn: () => void): Promise<void> {
    if (await this.#isAllowed(this.#permits.held)) goOn();
  }

  /** Asks again, unless an answer is still awaited. */
  async recheck(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    await this.#isAllowed(this.#permits.rechecked);
    this.#isAsking = false;
  }

  /** While the database is away nothing new comes from it either: then it is asked until it answers. */
  async #isAllowed(door: Door): Promise<boolean> {
    while (!this.#isOver) {
      try {
        const opening = await door.open(this.#caller.claims, this.#spaceId, null);
        if (opening !== null) this.#asked = opening;
        break;
      } catch (error) {
        const isAway = error instanceof SpacefeedError && error.code === "unavailable";
        if (!isAway) this.#end("stream_forbidden");
        else await sleep(RETRY_MS, undefined, { ref: false });
      }
    }
    return !this.#isOver;
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#permits.metrics.refusals.inc({ reason });
    this.#connection.end();
  }
}
