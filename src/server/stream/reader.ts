import type { Audience, Delivery, Subscriber } from "../feed/audience.js";
import type { Cursor } from "../postgres/functions.js";
import type { Connection } from "./connection.js";
import type { Recheck } from "./recheck.js";

/**
 * The client of a stream. It is aside while it is behind, until its connection has drained (P10), and while it is asked
 * again whether it may go on, where a change of beings may have put it out.
 */
export class Reader implements Subscriber {
  declare audience?: Audience;
  declare cursor: Cursor;
  needsSnapshot = true;
  isAside = false;

  constructor(
    private readonly connection: Connection,
    private readonly recheck: Recheck,
  ) {
    connection.onClose(() => this.audience?.leave(this));
  }

  deliver(delivery: Delivery): void {
    if (this.connection.isBehind) {
      this.isAside = true;
      this.connection.onceDrained(() => this.audience?.resume(this));
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

  #take({ frame, cursor }: Delivery): void {
    this.cursor = cursor;
    this.needsSnapshot = false;
    this.connection.write(frame);
  }

  heartbeat(frame: Buffer): void {
    this.connection.heartbeat(frame);
  }

  end(): void {
    this.connection.end();
  }
}
