import { setTimeout as sleep } from "node:timers/promises";
import { SpacefeedError } from "../../protocol/errors.js";
import type { Caller } from "../auth/caller.js";
import { type Delivery, isAsOf } from "../feed/audience.js";
import { RETRY_MS } from "../loader.js";
import type { Metrics } from "../metrics.js";
import type { Cursor, Database } from "../postgres/functions.js";
import { Admission } from "./admission.js";

/** In so many turns all streams are asked about, so that a slow policy is not asked for all of them at once. */
const TURNS = 10;
/** What a timer reaches; a later end is somebody else's. */
const LONGEST_MS = 2 ** 31 - 1;

export type Refusal = "stream_expired" | "stream_forbidden";

/**
 * The rechecks of all open streams. Every `recheckMs` the database is asked again about each, together for those whose
 * turn it is.
 */
export class Rechecks {
  /** The one that was asked about longest ago is first. */
  readonly #all = new Set<Recheck>();
  /** Apart from each other, and from newcomers: nobody waits behind a question that is less urgent. */
  readonly held: Admission;
  readonly due: Admission;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    database: Database,
    readonly metrics: Metrics,
    readonly recheckMs: number,
  ) {
    this.held = new Admission(database);
    this.due = new Admission(database);
  }

  /** Of a reader that was let in when the space was at `asked`. */
  start(caller: Caller, spaceId: string, asked: Cursor, refuse: (reason: Refusal) => void): Recheck {
    const recheck = new Recheck(this, caller, spaceId, asked, refuse);
    this.#all.add(recheck);
    this.#timer ??= setInterval(() => this.#turn(), this.recheckMs / TURNS);
    return recheck;
  }

  stop(recheck: Recheck): void {
    this.#all.delete(recheck);
    if (this.#all.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #turn(): void {
    for (const recheck of [...this.#all].slice(0, Math.ceil(this.#all.size / TURNS))) {
      this.#all.delete(recheck);
      this.#all.add(recheck);
      void recheck.again();
    }
  }
}

/** Whether a stream may go on in a space: until its token expires, or the policy says no. */
export class Recheck {
  #expiry: NodeJS.Timeout | undefined;
  #isAsking = false;
  #isOver = false;

  /** `asked`: where the space was when the database last said yes. Whatever leads no further is allowed. */
  constructor(
    private readonly all: Rechecks,
    private readonly caller: Caller,
    private readonly spaceId: string,
    private asked: Cursor,
    private readonly refuse: (reason: Refusal) => void,
  ) {
    const left = (caller.expiresAt ?? Number.POSITIVE_INFINITY) - Date.now();
    if (left < LONGEST_MS) this.#expiry = setTimeout(() => this.#end("stream_expired"), left);
  }

  /** The reader is gone. */
  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#expiry);
    this.all.stop(this);
  }

  /**
   * Whether it has to be asked before this delivery: a being came, changed or went since the last answer, which may
   * be the reader's own. Nobody in particular has no being.
   */
  isDue({ cursor, types }: Delivery): boolean {
    return this.caller.claims !== null && (types?.includes("beings") ?? true) && !isAsOf(this.asked, cursor);
  }

  /** Calls back once the database has said again that this stream may go on. If it says no, the stream ends. */
  async onceAllowed(goOn: () => void): Promise<void> {
    if (await this.#isAllowed(this.all.held)) goOn();
  }

  /** Asks again, unless an answer is still awaited. */
  async again(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    await this.#isAllowed(this.all.due);
    this.#isAsking = false;
  }

  /** While the database is away nothing new comes from it either: then it is asked until it answers. */
  async #isAllowed(admission: Admission): Promise<boolean> {
    while (!this.#isOver) {
      try {
        this.asked = (await admission.open(this.caller.claims, this.spaceId, null)) ?? this.asked;
        break;
      } catch (error) {
        const isAway = error instanceof SpacefeedError && error.code === "unavailable";
        if (!isAway) this.#end("stream_forbidden");
        else await sleep(RETRY_MS, undefined, { ref: false });
      }
    }
    return !this.#isOver;
  }

  #end(reason: Refusal): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.all.metrics.refusals.inc({ reason });
    this.refuse(reason);
  }
}
