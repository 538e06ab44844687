import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { SpacefeedError } from "../../protocol/errors.js";
import { Loader, RETRY_MS } from "../loader.js";
import { type Audience, type Delivery, isAsOf } from "./audience.js";

/** Reads snapshots for those of an audience who need one, a few at a time. */
export class Snapshots<Of extends Audience> {
  readonly #loader: Loader<Of, undefined>;

  /** `read`: null where there is no such space; undefined where what was read is outdated. */
  constructor(
    atOnce: number,
    private readonly log: Logger,
    private readonly read: (audience: Of) => Promise<Delivery | null | undefined>,
  ) {
    this.#loader = new Loader({ atOnce, ask: async ([audience]) => [await this.#serve(audience as Of)] });
  }

  /** Sees to it that those who wait get a snapshot. */
  request(audience: Of): void {
    void this.#loader.load(audience);
  }

  async #serve(audience: Of): Promise<undefined> {
    const asked = new Set(audience.waiting());
    if (asked.size === 0) return;
    try {
      const delivery = await this.read(audience);
      // Those who have begun to wait meanwhile may be further than this: they get the next one. Those who waited
      // before, and are further all the same, have what the database has lost.
      for (const reader of audience.waiting()) {
        if (delivery === null) reader.gone();
        else if (delivery && (asked.has(reader) || isAsOf(delivery.cursor, reader.cursor))) {
          reader.deliver(delivery);
        }
      }
      if (delivery === null) return;
    } catch (error) {
      if (error instanceof SpacefeedError && error.code === "invalid") {
        // A list of theirs is no more: they come back, and are told so.
        for (const reader of audience.readers) reader.end();
        return;
      }
      this.log.warn({ err: error, spaceId: audience.spaceId }, "a snapshot could not be read; trying again");
      await sleep(RETRY_MS, undefined, { ref: false });
    }
    this.request(audience);
  }
}
