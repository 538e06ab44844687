import type { Delivery } from "./delivery.js";

/** Bytes that the history of one space has at most; more is sent to nobody at once. The same for its snapshot. */
const SPACE_BYTES = 256 * 1024;
/** What all of them have together. */
const ALL_BYTES = 64 * 1024 * 1024;

interface Group {
  readonly from: number;
  /** How many events it has, on which the gap is counted. */
  readonly events: number;
  readonly delivery: Delivery;
}

/** Bounds what all histories have: the one that has learnt nothing for longest forgets first. */
export class Memory {
  readonly #order = new Set<History>();
  #bytes = 0;

  /** `history` has so many bytes more, or fewer. */
  change(history: History, bytes: number): void {
    this.#bytes += bytes;
    this.#order.delete(history);
    if (history.bytes > 0) this.#order.add(history);
    for (const oldest of this.#order) {
      if (this.#bytes <= ALL_BYTES) break;
      oldest.restart(oldest.head);
    }
  }
}

/**
 * What was sent in a space lately, so that a client that comes back after a moment asks the database nothing. The groups
 * are a chain, in which each builds on the version of the one before; the last one ends at `head`. A snapshot is
 * no link of it, and serves newcomers for as long as it is what the head is: nobody is shown an older state.
 */
export class History {
  /** The newest version that was seen here; undefined until there is one. */
  head: number | undefined;
  bytes = 0;
  /** The space as it is at the head; undefined where only the database has it. */
  snapshot: Delivery | undefined;
  #groups: Group[] = [];
  /** What takes a reader from a version to the head: everybody at it shares one Buffer. */
  readonly #joined = new Map<number, Delivery>();

  /** `limit`: more events behind than that, and only the database knows how many entities they are. */
  constructor(
    private readonly memory: Memory,
    private readonly limit: number,
  ) {}

  /** A group was read. One that does not build on `head` is for stragglers, who may be many. */
  add(from: number, delivery: Delivery, events: number): void {
    const { frame, cursor } = delivery;
    this.head ??= from;
    if (from === this.head) {
      this.head = cursor.version;
      this.snapshot = undefined;
      this.#groups.push({ from, events, delivery });
      this.#trim();
    } else if (cursor.version === this.head && frame.length <= SPACE_BYTES) {
      this.#remember(from, delivery);
    }
  }

  /** A snapshot was taken. */
  keep(snapshot: Delivery): void {
    this.head ??= snapshot.cursor.version;
    if (snapshot.cursor.version !== this.head || snapshot.frame.length > SPACE_BYTES) return;
    this.snapshot = snapshot;
    this.#trim();
  }

  /** The chain has a hole, or is forgotten: what is known begins again at this version. */
  restart(version: number | undefined): void {
    this.head = version;
    this.#groups = [];
    this.snapshot = undefined;
    this.#trim();
  }

  /** What a reader at this version lacks; undefined where only the database has it. */
  since(version: number): Delivery | undefined {
    const known = this.#joined.get(version);
    if (known) return known;
    const first = this.#groups.findIndex(({ from }) => from === version);
    if (first < 0) return undefined;
    const deliveries = this.#groups.slice(first).map(({ delivery }) => delivery);
    const last = deliveries.at(-1) as Delivery;
    if (deliveries.length === 1) return last;
    return this.#remember(version, {
      frame: Buffer.concat(deliveries.map(({ frame }) => frame)),
      cursor: last.cursor,
      types: deliveries.flatMap(({ types }) => types ?? []),
      change: null,
    });
  }

  #remember(version: number, delivery: Delivery): Delivery {
    this.#joined.set(version, delivery);
    this.#count(delivery.frame.length);
    return delivery;
  }

  /** Forgets what was joined, and the oldest groups, which nobody may have from here. */
  #trim(): void {
    this.#joined.clear();
    let events = 0;
    let bytes = 0;
    let first = this.#groups.length;
    for (const { events: more, delivery } of this.#groups.toReversed()) {
      if (events + more > this.limit || bytes + delivery.frame.length > SPACE_BYTES) break;
      events += more;
      bytes += delivery.frame.length;
      first--;
    }
    this.#groups.splice(0, first);
    this.#count(bytes + (this.snapshot?.frame.length ?? 0) - this.bytes);
  }

  #count(bytes: number): void {
    this.bytes += bytes;
    this.memory.change(this, bytes);
  }
}
