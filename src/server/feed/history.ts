/** Bytes of frames that one room remembers at most: more is sent to nobody at once. The same for its snapshot. */
const ROOM_BYTES = 256 * 1024;
/** What all rooms remember together. */
const ALL_BYTES = 64 * 1024 * 1024;

/** What takes a reader to the head, and whether there are beings in it. */
export interface Lacking {
  readonly buffer: Buffer;
  readonly hasBeings: boolean;
}

interface Frame extends Lacking {
  readonly from: number;
  /** How many events it has, on which the gap is counted. */
  readonly events: number;
}

/** Bounds what all rooms remember: who has learnt nothing for longest forgets first. */
export class Memory {
  readonly #order = new Set<Recent>();
  #bytes = 0;

  /** `recent` has so many bytes more, or fewer. */
  change(recent: Recent, bytes: number): void {
    this.#bytes += bytes;
    this.#order.delete(recent);
    if (recent.bytes > 0) this.#order.add(recent);
    for (const oldest of this.#order) {
      if (this.#bytes <= ALL_BYTES) break;
      oldest.forget();
    }
  }
}

/**
 * What was sent in a room lately, so that who comes back after a moment asks the database nothing. The frames
 * are a chain, in which each builds on the version of the one before; the last one ends at `head`. A snapshot is
 * no link of it, and serves newcomers for as long as it is what the head is: nobody is shown an older state.
 */
export class Recent {
  /** The newest version that was seen here; undefined until there is one. */
  head: number | undefined;
  #frames: Frame[] = [];
  #snapshot: Lacking | undefined;
  /** What takes a reader from a version to the head: everybody at it shares one Buffer. */
  readonly #joined = new Map<number, Lacking>();
  #bytes = 0;

  /** `limit`: more events behind than that, and only the database knows how many entities they are. */
  constructor(
    private readonly memory: Memory,
    private readonly limit: number,
  ) {}

  get bytes(): number {
    return this.#bytes;
  }

  /** A group was read. One that does not build on `head` is for stragglers, who may be many. */
  add(from: number, to: number, lacking: Lacking, events: number): void {
    this.head ??= from;
    if (from !== this.head) {
      if (to === this.head && lacking.buffer.length <= ROOM_BYTES) this.#remember(from, lacking);
      return;
    }
    this.head = to;
    this.#snapshot = undefined;
    this.#frames.push({ from, events, ...lacking });
    this.#trim();
  }

  /** A snapshot was taken. */
  keep(version: number, buffer: Buffer): void {
    this.head ??= version;
    if (version !== this.head || buffer.length > ROOM_BYTES) return;
    this.#snapshot = { buffer, hasBeings: true };
    this.#trim();
  }

  /** The space as it is at the head; undefined where only the database has it. */
  get snapshot(): Lacking | undefined {
    return this.#snapshot;
  }

  /** The chain has a hole: what is known begins again at this version. */
  restart(version: number | undefined): void {
    this.forget();
    this.head = version;
  }

  forget(): void {
    this.#frames = [];
    this.#snapshot = undefined;
    this.#trim();
  }

  /** What a reader at this version lacks; undefined where only the database has it. */
  since(version: number): Lacking | undefined {
    const known = this.#joined.get(version);
    if (known) return known;
    const first = this.#frames.findIndex(({ from }) => from === version);
    if (first < 0) return undefined;
    const frames = this.#frames.slice(first);
    if (frames.length === 1) return frames[0];
    return this.#remember(version, {
      buffer: Buffer.concat(frames.map(({ buffer }) => buffer)),
      hasBeings: frames.some(({ hasBeings }) => hasBeings),
    });
  }

  #remember(version: number, lacking: Lacking): Lacking {
    this.#joined.set(version, lacking);
    this.#count(lacking.buffer.length);
    return lacking;
  }

  /** Forgets what was joined, and the oldest frames, which nobody may have from here. */
  #trim(): void {
    this.#joined.clear();
    let events = 0;
    let bytes = 0;
    let first = this.#frames.length;
    while (first > 0) {
      const frame = this.#frames[first - 1] as Frame;
      if (events + frame.events > this.limit || bytes + frame.buffer.length > ROOM_BYTES) break;
      events += frame.events;
      bytes += frame.buffer.length;
      first--;
    }
    this.#frames.splice(0, first);
    this.#count(bytes + (this.#snapshot?.buffer.length ?? 0) - this.#bytes);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.memory.change(this, bytes);
  }
}
