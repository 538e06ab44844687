import type { Group, State } from "../../../src/client/replica.js";
import type { Being, Entity, EntityEvent, Intention, SyncEvent } from "../../../src/protocol/messages.js";
import { beingOf, instant, messageOf } from "../postgres/rows.js";

/** What a writer does to one row. Small spaces: the same few rows are changed again and again. */
export interface Write {
  /** A task is a row of a tracked table. */
  kind: "being" | "intention" | "task";
  verb: "create" | "update" | "delete" | "move away" | "move in" | "retime";
  row: number;
  value: number;
}

type Row = Being | Intention | Entity;
/** By kind and ID. */
type Rows = ReadonlyMap<string, Row>;

const byTime = (a: Intention, b: Intention) =>
  a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : numberOf(a) - numberOf(b);
const numberOf = ({ messageId }: Intention) => Number(messageId.slice(4));

/** A space as the database has it, with every version that it had: the plainest model of it that there is. */
export class ModelServer {
  #epoch = 0;
  #numbers = 0;
  #clock = 0;
  #rows: Rows = new Map();
  /** Rows that are in another space now. */
  readonly #away = new Map<string, Row>();
  /** The state at each version of this epoch, and the IDs that each version changed. */
  #states = new Map<number, Rows>([[0, this.#rows]]);
  #changes = new Map<number, ReadonlySet<string>>();
  #version = 0;
  #first = 0;

  get version(): number {
    return this.#version;
  }

  get cursor(): string {
    return `${this.#epoch}.${this.#version}`;
  }

  /** One transaction. It is a version only if it changes something. */
  commit(writes: readonly Write[]): void {
    const before = this.#rows;
    this.#rows = new Map(before);
    const touched = new Set(writes.map((write) => this.#write(write)));
    const isChanged = (key: string) => before.get(key) !== this.#rows.get(key);
    const changed = new Set([...touched].filter((key) => key !== null).filter(isChanged));
    if (changed.size > 0) this.#raise(changed);
    else this.#rows = before;
  }

  /** Another incarnation: what is known of versions counts no more. */
  reset(): void {
    this.#epoch++;
    this.#raise(new Set());
    this.#first = this.#version;
  }

  /** The row, wherever it is. */
  find(kind: string, id: string): Row | undefined {
    return this.#rows.get(`${kind} ${id}`) ?? this.#away.get(`${kind} ${id}`);
  }

  isHere(kind: string, id: string): boolean {
    return this.#rows.has(`${kind} ${id}`);
  }

  /** What takes who is at `since` to now, compacted as sync.changes_since() does it; null: nothing new. */
  group(since: string | null, limit: number, snapshot: number): Group | null {
    const [epoch, version] = (since ?? "-1.0").split(".").map(Number) as [number, number];
    const isOurs = epoch === this.#epoch && version >= this.#first;
    if (isOurs && version === this.#version) return null;
    const keys = new Set<string>();
    for (let next = version + 1; next <= this.#version; next++) {
      for (const key of this.#changes.get(next) ?? []) keys.add(key);
    }
    if (!isOurs || keys.size > limit) return [this.#spaceSync(snapshot)];
    const events = [...keys].map((key) => this.#event(key));
    const last = events.pop() as SyncEvent;
    return [...events, { ...last, prev: version, cursor: this.cursor } as SyncEvent];
  }

  /** The whole state with the newest `limit` messages. */
  state(limit: number): State {
    const all = this.messages();
    return {
      version: this.#version,
      cursor: this.cursor,
      timestamp: instant(++this.#clock),
      beings: this.beings(),
      intentions: limit > 0 ? all.slice(-limit) : [],
      entities: { task: this.tasks() },
      hasMore: all.length > limit,
    };
  }

  /** The `limit` messages before one; null when that one is not here. */
  page(before: string | undefined, limit: number): Intention[] | null {
    const all = this.messages();
    const end = before === undefined ? all.length : all.findIndex(({ messageId }) => messageId === before);
    return end < 0 ? null : all.slice(Math.max(0, end - limit), end);
  }

  beings(version = this.#version): Being[] {
    const beings = this.#list("being", version) as Being[];
    return beings.sort((a, b) => (a.createdAt + a.id < b.createdAt + b.id ? -1 : 1));
  }

  messages(version = this.#version): Intention[] {
    return (this.#list("intention", version) as Intention[]).sort(byTime);
  }

  tasks(version = this.#version): Entity[] {
    return (this.#list("task", version) as Entity[]).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #list(kind: Write["kind"], version: number): Row[] {
    const rows = this.#states.get(version) as Rows;
    return [...rows].filter(([key]) => key.startsWith(`${kind} `)).map(([, row]) => row);
  }

  #raise(changed: ReadonlySet<string>): void {
    this.#version++;
    this.#changes.set(this.#version, changed);
    this.#states.set(this.#version, this.#rows);
  }

  #write({ kind, verb, row, value }: Write): string | null {
    const id = `${kind[0]}${row}`;
    const key = `${kind} ${id}`;
    const rows = this.#rows as Map<string, Row>;
    const there = rows.get(key);
    const modifiedAt = instant(10_000 + ++this.#clock);
    const moved = (space: string) => (kind === "task" ? { project: space } : { locationId: space });
    if (verb === "create" && !there && !this.#away.has(key)) {
      const made = { createdAt: instant(value), modifiedAt, content: [value] };
      if (kind === "being") rows.set(key, beingOf(id, made));
      else if (kind === "intention") rows.set(key, messageOf(++this.#numbers, { id, ...made }));
      else rows.set(key, { id, project: "here", content: [value], modifiedAt });
    } else if (verb === "delete") {
      rows.delete(key);
      this.#away.delete(key);
    } else if (verb === "update" && there) {
      rows.set(key, { ...there, content: [value], modifiedAt });
    } else if (verb === "retime" && there) {
      rows.set(key, { ...there, createdAt: instant(value), modifiedAt });
    } else if (verb === "move away" && there) {
      rows.delete(key);
      this.#away.set(key, { ...there, ...moved("there"), modifiedAt });
    } else if (verb === "move in" && this.#away.has(key)) {
      rows.set(key, { ...(this.#away.get(key) as Row), ...moved("here"), modifiedAt });
      this.#away.delete(key);
    } else {
      return null;
    }
    return key;
  }

  #event(key: string): SyncEvent | EntityEvent {
    const [kind, id] = key.split(" ") as [Write["kind"], string];
    const data = this.#rows.get(key);
    const version = this.#version;
    if (kind === "being") {
      return data
        ? { type: "being-updated", version, data: data as Being }
        : { type: "being-deleted", version, id };
    }
    if (kind === "task") {
      return data
        ? { type: "task-updated", id, version, data: data as Entity }
        : { type: "task-deleted", id, version };
    }
    if (!data) return { type: "intention-deleted", messageId: "msg_0", version, id };
    const message = data as Intention;
    return { type: "intention-updated", messageId: message.messageId, version, data: message };
  }

  #spaceSync(limit: number): SyncEvent {
    const { beings = [], intentions = [], ...state } = this.state(limit);
    const lastMessageId = intentions.at(-1)?.messageId ?? null;
    return { type: "space-sync", spaceId: "here", beings, intentions, lastMessageId, ...state };
  }
}
