import type { ServerResponse } from "node:http";
import { SpacefeedError } from "../../protocol/errors.js";
import type { Caller } from "../auth/caller.js";
import type { Hub } from "../feed/hub.js";
import type { Metrics } from "../metrics.js";
import { unknownSpace } from "../postgres/errors.js";
import type { Database, Opening } from "../postgres/functions.js";
import { Admission } from "./admission.js";
import { Connection } from "./connection.js";
import { Rechecks } from "./recheck.js";
import { Stream, type StreamForm } from "./stream.js";

export interface StreamsOptions {
  database: Database;
  hub: Hub;
  metrics: Metrics;
  /** Open streams, above which a newcomer is refused. */
  maxClients: number;
  /** Milliseconds after which it is asked again whether a stream may go on. */
  recheckMs: number;
}

/** All open streams. */
export class Streams {
  readonly #admission: Admission;
  readonly #rechecks: Rechecks;
  /** Those of many spaces, by their IDs. */
  readonly #named = new Map<string, Stream>();
  #clients = 0;

  constructor(private readonly options: StreamsOptions) {
    this.#admission = new Admission(options.database);
    this.#rechecks = new Rechecks(options.database, options.metrics, options.recheckMs);
  }

  /** Where a space is, and what `since` stands for. Throws `not_found`, `forbidden`, `invalid`, `unavailable`. */
  async admit({ claims }: Caller, spaceId: string, since: string | null): Promise<Opening> {
    const opening = await this.#admission.open(claims, spaceId, since);
    if (!opening) throw unknownSpace(spaceId);
    return opening;
  }

  /** Begins a stream of one space or of many; `start` has it follow them. Throws `unavailable` where there is no room. */
  async begin(
    outgoing: ServerResponse,
    headers: Headers,
    caller: Caller,
    form: StreamForm,
    start: (stream: Stream) => void,
  ): Promise<void> {
    const { hub, metrics } = this.options;
    await Connection.turn(outgoing);
    this.demandRoom();
    try {
      const connection = new Connection(outgoing, form.endpoint, headers, metrics);
      this.#clients++;
      const stream = new Stream(connection, caller, this.#rechecks, form);
      if (form.isNamed) this.#named.set(stream.id, stream);
      connection.onClose(() => {
        this.#clients--;
        this.#named.delete(stream.id);
      });
      // At once, so that the reader knows how often they come.
      connection.heartbeat(hub.beat);
      start(stream);
    } catch (error) {
      // Once a stream has begun, no answer can say so: it ends, and the client comes back.
      if (outgoing.headersSent) outgoing.socket?.destroy();
      throw error;
    }
  }

  /** The stream of this caller that has many spaces and this ID. Throws `not_found`. */
  get(id: string, { claims }: Caller): Stream {
    const stream = this.#named.get(id);
    if (!stream || stream.caller.claims?.json !== claims?.json) {
      throw new SpacefeedError(
        "not_found",
        "there is no stream of this ID at this relay: open one with POST /api/stream and all of its spaces",
      );
    }
    return stream;
  }

  demandRoom(): void {
    const { maxClients } = this.options;
    if (this.#clients < maxClients) return;
    throw new SpacefeedError(
      "unavailable",
      `this relay has ${maxClients} open streams, as many as it may: try again in a moment, or raise MAX_CLIENTS`,
      { limit: "clients" },
    );
  }

  /** Of those that have many spaces, which the hub would send one for each. */
  heartbeat(): void {
    for (const stream of this.#named.values()) stream.heartbeat(this.options.hub.beat, true);
  }
}
