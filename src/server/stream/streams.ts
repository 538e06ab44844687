import type { ServerResponse } from "node:http";
import { SpacefeedError } from "../../protocol/errors.js";
import type { Caller } from "../auth/caller.js";
import type { Hub } from "../feed/hub.js";
import type { Metrics } from "../metrics.js";
import { unknownSpace } from "../postgres/errors.js";
import type { Database, Opening } from "../postgres/functions.js";
import { Admission } from "./admission.js";
import { Connection } from "./connection.js";
import type { Rechecks } from "./reader.js";
import { Stream, type StreamForm } from "./stream.js";

export interface StreamsOptions {
  database: Database;
  hub: Hub;
  metrics: Metrics;
  /** Open streams, above which a newcomer is refused. */
  maxClients: number;
}

/** In so many turns all streams are asked about again, so that a slow policy is not asked for all of them at once. */
export const TURNS = 10;

/** All open streams. */
export class Streams {
  readonly #admission: Admission;
  readonly #rechecks: Rechecks;
  /** By their IDs. The one that was asked about longest ago is first. */
  readonly #open = new Map<string, Stream>();

  constructor(private readonly options: StreamsOptions) {
    this.#admission = new Admission(options.database);
    const { database, metrics } = options;
    this.#rechecks = { held: new Admission(database), due: new Admission(database), metrics };
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
      const stream = new Stream(connection, caller, form, this.#rechecks);
      this.#open.set(stream.id, stream);
      connection.onClose(() => this.#open.delete(stream.id));
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
    const stream = this.#open.get(id);
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
    if (this.#open.size < maxClients) return;
    throw new SpacefeedError(
      "unavailable",
      `this relay has ${maxClients} open streams, as many as it may: try again in a moment, or raise MAX_CLIENTS`,
      { limit: "clients" },
    );
  }

  /** Of those that have many spaces, which the hub would send one for each. */
  heartbeat(): void {
    for (const { form, connection } of this.#open.values()) {
      if (form.isNamed) connection.heartbeat(this.options.hub.beat);
    }
  }

  /** Asks again whether those may go on whose turn it is. */
  recheck(): void {
    for (const [id, stream] of [...this.#open].slice(0, Math.ceil(this.#open.size / TURNS))) {
      this.#open.delete(id);
      this.#open.set(id, stream);
      stream.recheck();
    }
  }
}
