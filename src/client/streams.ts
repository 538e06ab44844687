import { SpacefeedError } from "../protocol/errors.js";
import type { ManySpacesEvent } from "../protocol/messages.js";
import { type Api, LIMITS, type StreamReceiver } from "./api.js";
import type { Group, Standing } from "./replica.js";

/** Who follows a space. */
interface Member {
  known(): Standing | null;
  receiver: StreamReceiver;
  /** The stream is over for this space: refused, broken off, or ended. */
  end(error?: unknown): void;
}

interface Stream {
  readonly controller: AbortController;
  /** Those whose cursors the relay was told. */
  readonly told: Map<string, Member>;
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
  readonly #members = new Map<string, Member>();
  #stream: Stream | undefined;
  #isGathering = false;

  constructor(readonly api: Api) {}

  /** Reads a space from what is known on. Resolves when its stream ends; after `signal` nothing more is said. */
  follow(
    spaceId: string,
    known: () => Standing | null,
    signal: AbortSignal,
    receiver: StreamReceiver,
  ): Promise<void> {
    if (this.#members.size >= LIMITS.spaces) {
      return this.api.stream({ [spaceId]: known()?.cursor ?? null }, signal, receiver);
    }
    return new Promise((resolve, reject) => {
      const end = (error?: unknown) => {
        if (this.#members.get(spaceId) === member) this.#leave(spaceId);
        if (error) reject(error);
        else resolve();
      };
      const member: Member = { known, receiver, end };
      this.#members.set(spaceId, member);
      signal.addEventListener("abort", () => end(), { once: true });
      if (this.#stream) this.#later();
      else this.#open();
    });
  }

  #leave(spaceId: string): void {
    this.#members.delete(spaceId);
    const { told } = this.#stream ?? {};
    if (!told || ![...told].some(([id, member]) => this.#members.get(id) === member)) {
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
      void this.#settle();
    }, GATHER_MS);
  }

  /** Opens a stream, or tells the relay who has come and gone. */
  async #settle(): Promise<void> {
    const stream = this.#stream;
    const { told = new Map<string, Member>(), only, id } = stream ?? {};
    const drop = [...told.keys()].filter((id) => !this.#members.has(id));
    const come = [...this.#members].filter(([id, member]) => told.get(id) !== member);
    if (drop.length + come.length === 0) return;
    if (!stream || only !== undefined) {
      this.#open();
      return;
    }
    if (id === undefined) return; // once it is open
    for (const id of drop) told.delete(id);
    for (const [id, member] of come) told.set(id, member);
    try {
      await this.api.change(id, { add: cursorsOf(come), drop }, stream.controller.signal);
    } catch (error) {
      if (this.#stream !== stream) return;
      // Another relay has it: then one stream more, of all, in its place.
      if (error instanceof SpacefeedError && error.code === "not_found") this.#open();
      else for (const [, member] of come) member.end(error);
    }
  }

  #open(): void {
    const told = new Map(this.#members);
    const only = told.size === 1 ? [...told.keys()][0] : undefined;
    const stream: Stream = { controller: new AbortController(), told, only, before: this.#stream };
    this.#stream = stream;
    const each = (tell: (receiver: StreamReceiver) => void) => {
      for (const [id, member] of told) if (this.#members.get(id) === member) tell(member.receiver);
    };
    this.api
      .stream(cursorsOf([...told]), stream.controller.signal, {
        bytes: () => each((receiver) => receiver.bytes()),
        heartbeat: (beat) => each((receiver) => receiver.heartbeat(beat)),
        message: (event) => this.#hear(stream, event as Group[number] & ManySpacesEvent),
      })
      .then(
        () => this.#broken(stream),
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
    const member = stream.told.get(spaceId);
    if (!member || this.#members.get(spaceId) !== member) return;
    if (event.type === "space-refused") {
      stream.told.delete(spaceId);
      member.end(new SpacefeedError(event.code, event.error));
    } else member.receiver.message(event);
  }

  /** All come back by themselves, each with its own cursor. */
  #broken(stream: Stream, error?: unknown): void {
    if (this.#stream !== stream) return;
    stop(stream);
    this.#stream = undefined;
    for (const [id, member] of stream.told) if (this.#members.get(id) === member) member.end(error);
  }
}

function stop(stream: Stream | undefined): void {
  if (!stream || stream.controller.signal.aborted) return;
  stream.controller.abort();
  stop(stream.before);
}

function cursorsOf(members: readonly (readonly [string, Member])[]): Record<string, string | null> {
  return Object.fromEntries(members.map(([id, { known }]) => [id, known()?.cursor ?? null]));
}
