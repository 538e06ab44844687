import { setTimeout as sleep } from "node:timers/promises";
import { SpacefeedError } from "../../protocol/errors.js";
import type { Caller } from "../auth/caller.js";
import { type Feed, isAsOf, type Subscriber } from "../feed/audience.js";
import type { Delivery } from "../feed/delivery.js";
import { RETRY_MS } from "../loader.js";
import type { Metrics } from "../metrics.js";
import { unknownSpace } from "../postgres/errors.js";
import type { Cursor } from "../postgres/functions.js";
import type { Admission } from "./admission.js";
import type { Connection } from "./connection.js";

/** The stream that a reader is of. */
interface Owner {
  readonly connection: Connection;
  readonly caller: Caller;
  write(spaceId: string, delivery: Delivery): void;
  heartbeat(frame: Buffer): void;
  refuse(spaceId: string, error: SpacefeedError): void;
}

/** Where it is asked again whether readers may go on. */
export interface Rechecks {
  /** Apart from each other, and from newcomers: nobody waits behind a question that is less urgent. */
  readonly held: Admission;
  readonly due: Admission;
  readonly metrics: Metrics;
}

/**
 * A stream's reader of one space. It is aside while the client is behind, until its connection has drained (P10), and
 * while it is asked again whether it may go on, where a change of beings may have put it out.
 */
export class Reader implements Subscriber {
  declare audience?: Feed;
  declare cursor: Cursor;
  needsSnapshot = true;
  isAside = false;
  #isAsking = false;
  #isOver = false;
  /** What had left for the client when something was last added to it. */
  #left: Cursor | undefined;

  /** `asked`: where the space was when the database last said yes. Whatever leads no further is allowed. */
  constructor(
    private readonly stream: Owner,
    private readonly spaceId: string,
    private asked: Cursor,
    private readonly rechecks: Rechecks,
    readonly takesAppends: boolean,
    private readonly onLeave: () => void,
  ) {}

  deliver(delivery: Delivery): void {
    if (this.stream.connection.isBehind) {
      this.isAside = true;
      this.stream.connection.onceDrained(() => this.audience?.resume(this));
    } else if (this.#isDue(delivery)) {
      this.isAside = true;
      void this.#recheck(this.rechecks.held).then((isAllowed) => {
        if (!isAllowed) return;
        this.#take(delivery);
        this.audience?.resume(this);
      });
    } else {
      this.#take(delivery);
    }
  }

  reached(epoch: string): number {
    const cursor = this.#hasAll ? this.cursor : this.#left;
    return cursor?.epoch === epoch ? cursor.version : 0;
  }

  get #hasAll(): boolean {
    return !this.needsSnapshot && this.stream.connection.isDrained;
  }

  #take(delivery: Delivery): void {
    if (this.#hasAll) this.#left = this.cursor;
    this.cursor = delivery.cursor;
    this.needsSnapshot = false;
    this.stream.write(this.spaceId, delivery);
  }

  /**
   * Whether it has to be asked before this delivery: a being came, changed or went since the last answer, which may
   * be the reader's own. Nobody in particular has no being.
   */
  #isDue({ cursor, types }: Delivery): boolean {
    const { claims } = this.stream.caller;
    return claims !== null && (types?.includes("beings") ?? true) && !isAsOf(this.asked, cursor);
  }

  /** It is time to ask again, unless an answer is still awaited. */
  async recheck(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    await this.#recheck(this.rechecks.due);
    this.#isAsking = false;
  }

  /** Whether it may go on. While the database is away nothing new comes from it either: then it is asked until it answers. */
  async #recheck(admission: Admission): Promise<boolean> {
    while (!this.#isOver) {
      try {
        const { claims } = this.stream.caller;
        this.asked = (await admission.open(claims, this.spaceId, null)) ?? this.asked;
        break;
      } catch (error) {
        const isAway = error instanceof SpacefeedError && error.code === "unavailable";
        if (!isAway) return this.#forbid();
        await sleep(RETRY_MS, undefined, { ref: false });
      }
    }
    return !this.#isOver;
  }

  #forbid(): false {
    if (this.#isOver) return false;
    this.rechecks.metrics.refusals.inc({ reason: "stream_forbidden" });
    this.stream.refuse(this.spaceId, new SpacefeedError("forbidden", "not allowed: read"));
    return false;
  }

  heartbeat(frame: Buffer): void {
    this.stream.heartbeat(frame);
  }

  gone(): void {
    this.stream.refuse(this.spaceId, unknownSpace(this.spaceId));
  }

  end(): void {
    this.stream.connection.end();
  }

  /** Its client follows the space no longer. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.audience?.leave(this);
    delete this.audience;
    this.onLeave();
  }
}
