import { SpacefeedError } from "../protocol/errors.js";
import type { ManySpacesEvent } from "../protocol/messages.js";
import { type Api, LIMITS, type StreamReceiver } from "./api.js";
import type { Group, Standing } from "./replica.js";

/** Who follows a space. */
export interface Follower extends StreamReceiver {
  known(): Standing | null;
  /** The stream is over for this space: refused, broken off, or ended. */
  end(error: unknown): void;
}

interface Stream {
  readonly controller: AbortController;
  /** Those whose cursors the relay was told. */
  readonly told: Map<string, Follower>;
  /** The only space of a stream of one, whose events do not name it. */
  readonly only: string | undefined;
  /** What the relay calls a stream of many, once it is open. */
  id?: string;
  /** The one that it takes the place of, until it speaks. */
  readonly before: Stream | undefined;
}

/** Spaces that come and go together are asked for together. */
const GATHER_MS = 10;

/**
 * The spaces of a browser share one stream: it has six connections for a server. The first space has a stream of one,
 * and when a second one comes all go over to one of many, to which spaces are added, and from which they are dropped.
 */
export class Streams {
  readonly #followers = new Map<string, Follower>();
  #stream: Stream | undefined;
  #isGathering = false;
  #settled = Promise.resolve();

  constructor(readonly api: Api) {}

  /** Reads a space from what is known on, until it ends. Returns what leaves it; after that nothing more is said. */
  follow(spaceId: string, follower: Follower): () => void {
    if (this.#followers.size >= LIMITS.spaces) return new Streams(this.api).follow(spaceId, follower);
    this.#followers.set(spaceId, follower);
    if (this.#stream) this.#later();
    else this.#open();
    return () => this.#follows(spaceId, follower) && this.#leave(spaceId);
  }

  #follows(spaceId: string, follower: Follower | undefined): boolean {
    return follower !== undefined && this.#followers.get(spaceId) === follower;
  }

  #leave(spaceId: string): void {
    this.#followers.delete(spaceId);
    const { told } = this.#stream ?? {};
    if (![...(told ?? [])].some((one) => this.#follows(...one))) {
      stop(this.#stream);
      this.#stream = undefined;
    }
    this.#later();
  }

  #later(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    setTimeout(() => {
      this.#isGathering = false;
      this.#settled = this.#settled.then(() => this.#settle()); // one after the other: none overtakes another
    }, GATHER_MS);
  }

  /** Opens a stream, or tells the relay who has come and gone. */
  async #settle(): Promise<void> {
    const stream = this.#stream;
    const { told = new Map<string, Follower>(), only, id } = stream ?? {};
    const drop = [...told.keys()].filter((id) => !this.#followers.has(id));
    const come = [...this.#followers].filter(([id, follower]) => told.get(id) !== follower);
    if (drop.length + come.length === 0) return;
    if (!stream || only !== undefined) {
      this.#open();
      return;
    }
    if (id === undefined) return; // once it is open
    for (const id of drop) told.delete(id);
    for (const [id, follower] of come) told.set(id, follower);
    try {
      await this.api.change(id, { add: cursorsOf(come), drop }, stream.controller.signal);
    } catch (error) {
      if (this.#stream !== stream) return;
      // Another relay has it: then one stream more, of all, in its place.
      if (error instanceof SpacefeedError && error.code === "not_found") this.#open();
      else this.#end(come, error);
    }
  }

  #open(): void {
    const told = new Map(this.#followers);
    const only = told.size === 1 ? [...told.keys()][0] : undefined;
    const stream: Stream = { controller: new AbortController(), told, only, before: this.#stream };
    this.#stream = stream;
    const each = (tell: (receiver: StreamReceiver) => void) => {
      for (const [id, follower] of told) if (this.#follows(id, follower)) tell(follower);
    };
    this.api
      .stream(cursorsOf([...told]), stream.controller.signal, {
        bytes: () => each((receiver) => receiver.bytes()),
        heartbeat: (beat) => each((receiver) => receiver.heartbeat(beat)),
        message: (event) => this.#hear(stream, event as Group[number] & ManySpacesEvent),
      })
      .then(
        () => this.#broken(stream, { message: "the stream has ended" }),
        (error) => this.#broken(stream, error),
      );
  }

  #hear(stream: Stream, event: Group[number] & ManySpacesEvent): void {
    stop(stream.before);
    if (event.type === "stream") {
      stream.id = event.streamId;
      this.#later(); // who came meanwhile
      return;
    }
    const spaceId = stream.only ?? event.spaceId;
    const follower = stream.told.get(spaceId);
    if (!follower || !this.#follows(spaceId, follower)) return;
    if (event.type === "space-refused") {
      stream.told.delete(spaceId);
      this.#end([[spaceId, follower]], new SpacefeedError(event.code, event.error));
    } else follower.message(event);
  }

  #broken(stream: Stream, error: unknown): void {
    if (this.#stream !== stream) return;
    stop(stream);
    this.#stream = undefined;
    this.#end(stream.told, error);
  }

  /** They come back by themselves, each with its own cursor. */
  #end(followers: Iterable<[string, Follower]>, error: unknown): void {
    for (const [id, follower] of followers) {
      if (!this.#follows(id, follower)) continue;
      this.#leave(id);
      follower.end(error);
    }
  }
}

function stop(stream: Stream | undefined): void {
  if (!stream || stream.controller.signal.aborted) return;
  stream.controller.abort();
  stop(stream.before);
}

function cursorsOf(members: readonly (readonly [string, Follower])[]): Record<string, string | null> {
  return Object.fromEntries(members.map(([id, { known }]) => [id, known()?.cursor ?? null]));
}
