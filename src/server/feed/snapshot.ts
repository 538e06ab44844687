import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { SpacefeedError } from "../../protocol/errors.js";
import { encodeGroup } from "../../protocol/sse.js";
import { Loader, RETRY_MS } from "../loader.js";
import type { Database } from "../postgres/functions.js";
import { cursorText } from "./cursor.js";
import type { Delivery } from "./delivery.js";

/** What of a space is read. */
export interface Part {
  spaceId: string;
  /** Messages at most. */
  limit: number;
  /** Null: all. */
  types: readonly string[] | null;
  /** As a space-sync event, not as a state. */
  isEvent: boolean;
}

/** Reads spaces as they are, a few at a time, each once for all who ask for the same. */
export class Snapshots {
  readonly #loader: Loader<Part & { change: string | null }, Delivery | null | undefined>;

  constructor(database: Database, log: Logger, atOnce: number) {
    const read = async ({ spaceId, limit, types, isEvent, change }: Part & { change: string | null }) => {
      try {
        const snapshot = await database.snapshot(spaceId, limit, types, isEvent);
        if (!snapshot) return null;
        const { json, ...cursor } = snapshot;
        const text = change ? `${json.slice(0, -1)},"changeInfo":${change}}` : json;
        return { frame: encodeGroup([text], cursorText(cursor)), cursor, types: null, change: null };
      } catch (error) {
        // A list of theirs is no more: its readers end, come back, and are told so.
        const isGone = (reason: unknown) => reason instanceof SpacefeedError && reason.code === "invalid";
        if (types && isGone(error) && (await database.demandTypes(types).then(() => false, isGone)))
          return null;
        log.warn({ err: error, spaceId }, "a snapshot could not be read; trying again");
        await sleep(RETRY_MS, undefined, { ref: false });
        return undefined;
      }
    };
    this.#loader = new Loader({ atOnce, ask: (asked) => Promise.all(asked.map(read)) });
  }

  /** Null where there is nothing to be read; undefined where it has to be asked again. `change`: the JSON text of `changeInfo`. */
  read(part: Part, change: string | null = null): Promise<Delivery | null | undefined> {
    return this.#loader.load({ ...part, change }, JSON.stringify([part, change]));
  }
}
