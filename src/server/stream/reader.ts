import type { Audience, Delivery, Subscriber } from "../feed/audience.js";
import type { Cursor } from "../postgres/functions.js";
import type { Connection } from "./connection.js";
import type { Recheck } from "./recheck.js";

/** The stream that a reader is of. */
interface Owner {
  readonly connection: Connection;
  write(spaceId: string, delivery: Delivery): void;
  heartbeat(frame: Buffer): void;
  gone(spaceId: string): void;
}

/**
 * A stream's reader of one space. It is aside while the client is behind, until its connection has drained (P10), and
 * while it is asked again whether it may go on, where a change of beings may have put it out.
 */
export class Reader implements Subscriber {
  declare audience?: Audience;
  declare cursor: Cursor;
  needsSnapshot = true;
  isAside = false;
  /** What had left for the client when something was last added to it. */
  #left: Cursor | undefined;

  constructor(
    private readonly stream: Owner,
    private readonly spaceId: string,
    private readonly recheck: Recheck,
    readonly takesAppends: boolean,
    private readonly onLeave: () => void,
  ) {}

  deliver(delivery: Delivery): void {
    if (this.stream.connection.isBehind) {
      this.isAside = true;
      this.stream.connection.onceDrained(() => this.audience?.resume(this));
    } else if (this.recheck.isDue(delivery)) {
      this.isAside = true;
      void this.recheck.onceAllowed(() => {
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

  heartbeat(frame: Buffer): void {
    this.stream.heartbeat(frame);
  }

  gone(): void {
    this.stream.gone(this.spaceId);
  }

  end(): void {
    this.stream.connection.end();
  }

  /** Its client follows the space no longer. */
  leave(): void {
    this.recheck.stop();
    this.audience?.leave(this);
    delete this.audience;
    this.onLeave();
  }
}
