import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { Loader, RETRY_MS } from "../loader.js";
import { type Audience, type Delivery, isAsOf } from "./audience.js";

/** Reads snapshots for those of an audience who need one, a few at a time. */
export class Snapshots<Of extends Audience> {
  readonly #loader: Loader<Of, void>;
  readonly #log: Logger;
  readonly #read: (audience: Of) => Promise<Delivery | null | undefined>;

  /** `read`: null where there is no such space; undefined where what was read is outdated. */
  constructor(log: Logger, atOnce: number, read: (audience: Of) => Promise<Delivery | null | undefined>) {
    this.#log = log;
    this.#read = read;
    this.#loader = new Loader({ atOnce, ask: async ([audience]) => [await this.#serve(audience as Of)] });
  }

  request(audience: Of): void {
    if (audience.isWaiting) void this.#loader.load(audience);
  }

  async #serve(audience: Of): Promise<void> {
    if (!audience.isWaiting) return;
    try {
      const reading = this.#read(audience);
      const asked = new Set(audience.waiting());
      const delivery = await reading;
      // Those who have begun to wait meanwhile may be further than this: they get the next one. Those who waited
      // before, and are further all the same, have what the database has lost.
      for (const reader of delivery === undefined ? [] : audience.waiting()) {
        if (!delivery) reader.end();
        else if (asked.has(reader) || isAsOf(delivery.cursor, reader.cursor)) reader.deliver(delivery);
      }
      if (delivery === null) return;
    } catch (error) {
      this.#log.warn({ err: error, spaceId: audience.spaceId }, "a snapshot could not be read; trying again");
      await sleep(RETRY_MS, undefined, { ref: false });
    }
    this.request(audience);
  }
}
