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

/** The stream of many spaces. */
interface Shared {
  controller: AbortController;
  /** What the relay calls it, once it is open. */
  id?: string;
  /** Those whose cursors the relay was told. */
  told: Map<string, Member>;
}

/** Spaces that come and go together are asked for together. */
const GATHER_MS = 10;

/**
 * The spaces of a browser share one stream: it has six connections for a server. The first space has a stream of its
 * own, and when a second one comes all go over to one stream of many, to which spaces are added, and from which they are dropped.
 */
export class Streams {
  readonly #members = new Map<string, Member>();
  /** Streams of one space each. */
  readonly #own = new Map<string, AbortController>();
  #shared: Shared | undefined;
  #isGathering = false;
  /** The relay knows no streams of many. */
  #isOld = false;

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
      if (this.#isOld || (this.#members.size === 1 && !this.#shared)) this.#followAlone(spaceId, member);
      else this.#later();
    });
  }

  #leave(spaceId: string): void {
    this.#members.delete(spaceId);
    this.#own.get(spaceId)?.abort();
    this.#own.delete(spaceId);
    if (this.#shared) this.#later();
    if (this.#members.size > 0) return;
    this.#shared?.controller.abort();
    this.#shared = undefined;
  }

  #followAlone(spaceId: string, member: Member): void {
    const controller = new AbortController();
    this.#own.set(spaceId, controller);
    const end = (error?: unknown) => !controller.signal.aborted && member.end(error);
    const spaces = { [spaceId]: member.known()?.cursor ?? null };
    this.api.stream(spaces, controller.signal, member.receiver).then(() => end(), end);
  }

  #later(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    setTimeout(() => {
      this.#isGathering = false;
      void this.#settle();
    }, GATHER_MS);
  }

  /** Opens the stream of many, or tells the relay who has come and gone. */
  async #settle(): Promise<void> {
    const shared = this.#shared;
    if (!shared) {
      if (this.#members.size > 1) this.#share();
      // The one that is left, if it has come just now.
      else for (const [id, member] of this.#members) if (!this.#own.has(id)) this.#followAlone(id, member);
      return;
    }
    if (shared.id === undefined) return; // once it is open
    const drop = [...shared.told.keys()].filter((id) => !this.#members.has(id));
    const come = [...this.#members].filter(([id, member]) => shared.told.get(id) !== member);
    if (drop.length + come.length === 0) return;
    for (const id of drop) shared.told.delete(id);
    for (const [id, member] of come) shared.told.set(id, member);
    try {
      await this.api.change(shared.id, { add: cursorsOf(come), drop }, shared.controller.signal);
    } catch (error) {
      if (this.#shared !== shared) return;
      // Another relay has it: then one stream more, of all, in its place.
      if (error instanceof SpacefeedError && error.code === "not_found") this.#share();
      else for (const [, member] of come) member.end(error);
    }
  }

  #share(): void {
    const before = this.#shared?.controller;
    const shared: Shared = { controller: new AbortController(), told: new Map(this.#members) };
    this.#shared = shared;
    const each = (tell: (receiver: StreamReceiver) => void) => {
      for (const [id, member] of shared.told) if (this.#members.get(id) === member) tell(member.receiver);
    };
    this.api
      .stream(cursorsOf([...shared.told]), shared.controller.signal, {
        bytes: () => each((receiver) => receiver.bytes()),
        heartbeat: (beat) => each((receiver) => receiver.heartbeat(beat)),
        message: (event) => {
          before?.abort();
          this.#hear(shared, event as Group[number] & ManySpacesEvent);
        },
      })
      .then(
        () => this.#broken(shared),
        (error) => this.#broken(shared, error),
      );
  }

  #hear(shared: Shared, event: Group[number] & ManySpacesEvent): void {
    if (event.type === "stream") {
      shared.id = event.streamId;
      for (const own of this.#own.values()) own.abort();
      this.#own.clear();
      this.#later(); // who came meanwhile
      return;
    }
    const member = shared.told.get(event.spaceId);
    if (!member || this.#members.get(event.spaceId) !== member) return;
    if (event.type === "space-refused") {
      shared.told.delete(event.spaceId);
      member.end(new SpacefeedError(event.code, event.error));
    } else member.receiver.message(event);
  }

  /** All come back by themselves, each with its own cursor. */
  #broken(shared: Shared, error?: unknown): void {
    if (this.#shared !== shared) return;
    this.#shared = undefined;
    shared.controller.abort();
    this.#isOld = shared.id === undefined && (error as SpacefeedError | undefined)?.code === "not_found";
    for (const [id, member] of shared.told) {
      if (this.#members.get(id) !== member || this.#own.has(id)) continue;
      if (this.#isOld) this.#followAlone(id, member);
      else member.end(error);
    }
  }
}

function cursorsOf(members: readonly (readonly [string, Member])[]): Record<string, string | null> {
  return Object.fromEntries(members.map(([id, { known }]) => [id, known()?.cursor ?? null]));
}
