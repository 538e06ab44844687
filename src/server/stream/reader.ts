import type { Delivery, Subscriber } from "../feed/audience.js";
import type { Cursor } from "../feed/cursor.js";
import type { Hub } from "../feed/hub.js";
import type { Connection } from "./connection.js";
import type { Permit } from "./recheck.js";

/**
 * A client of `/api/stream`. One that is behind is set aside until its connection has drained: then it is caught up
 * from its cursor, like any other that comes back (P10). So is one that a change of beings may have put out, until it
 * was asked again whether it may go on.
 */
export class Reader implements Subscriber {
  readonly #hub: Hub;
  readonly #spaceId: string;
  readonly #connection: Connection;
  readonly #permit: Permit;
  #reached: Cursor | undefined;

  constructor(hub: Hub, spaceId: string, connection: Connection, permit: Permit) {
    this.#hub = hub;
    this.#spaceId = spaceId;
    this.#connection = connection;
    this.#permit = permit;
  }

  /** Begins: it has the space up to version `since`, or nothing (null), and the space is at `now`. */
  start(now: Cursor, since: number | null): void {
    if (since !== null) this.#reached = { epoch: now.epoch, version: since };
    this.#hub.join(this.#spaceId, now, since, this);
    this.#connection.onClose(() => this.#hub.leave(this.#spaceId, this));
  }

  deliver(delivery: Delivery): void {
    if (this.#connection.isBehind) {
      this.#hub.setAside(this.#spaceId, this);
      this.#connection.onceDrained(() => this.#resume(delivery.reached));
    } else if (this.#permit.isTouchedBy(delivery)) {
      this.#hub.setAside(this.#spaceId, this);
      void this.#permit.onceAllowed(() => {
        this.#take(delivery);
        this.#resume(delivery.reached);
      });
    } else {
      this.#take(delivery);
    }
  }

  #take(delivery: Delivery): void {
    this.#reached = delivery.reached;
    this.#connection.write(delivery.frame);
  }

  heartbeat(frame: Buffer): void {
    this.#connection.heartbeat(frame);
  }

  end(): void {
    this.#connection.end();
  }

  #resume(now: Cursor): void {
    const reached = this.#reached;
    this.#hub.join(this.#spaceId, reached ?? now, reached?.version ?? null, this);
  }
}
