import { isDeepStrictEqual } from "node:util";

/** A space as somebody has it: rows by their IDs, in lists by their types. */
export class Replica {
  version = -1;
  cursor = null;
  hasMore = false;
  /** `being`, `intention`, and the types of tracked tables. */
  lists = new Map();

  static of(state) {
    const replica = new Replica();
    replica.replace(state);
    return replica;
  }

  get epoch() {
    return this.cursor && epochOf(this.cursor);
  }

  list(type) {
    if (!this.lists.has(type)) this.lists.set(type, new Map());
    return this.lists.get(type);
  }

  /** The newest messages last (rule 1.7). */
  get messages() {
    const numberOf = ({ messageId }) => Number(messageId.slice(4));
    return [...this.list("intention").values()].sort(
      (a, b) =>
        Number(a.createdAt > b.createdAt) - Number(a.createdAt < b.createdAt) || numberOf(a) - numberOf(b),
    );
  }

  /** Takes a state or a space-sync. */
  replace({ version, cursor = null, hasMore = false, beings = [], intentions = [], entities = {} }) {
    Object.assign(this, { version, cursor, hasMore });
    const lists = { being: beings, intention: intentions, ...entities };
    this.lists = new Map(
      Object.entries(lists).map(([type, rows]) => [type, new Map(rows.map((row) => [row.id, row]))]),
    );
  }

  /** Takes a group; null, or the rule that it breaks and how. */
  apply(group) {
    const last = group.at(-1);
    for (const event of group) {
      if (event.type === "space-sync") {
        this.replace(event);
        continue;
      }
      const [, type, verb] = /^(.*)-(created|updated|deleted|appended)$/.exec(event.type) ?? [];
      if (!type) continue;
      if (verb === "deleted") this.list(type).delete(event.id);
      else if (verb === "appended") {
        const fault = this.#append(type, event);
        if (fault) return fault;
      } else this.list(type).set(event.data.id, event.data);
    }
    this.version = last.version;
    this.cursor = last.cursor;
    return null;
  }

  /** Rule 10.3. */
  #append(type, { id, path, at, text, data }) {
    const row = this.list(type).get(id);
    if (!row)
      return this.hasMore ? null : ["10.1", `appends to ${type} ${id}, which the reader does not have`];
    const copy = structuredClone({ ...row, ...data });
    const holder = path.slice(0, -1).reduce((value, key) => value?.[key], copy);
    const before = holder?.[path.at(-1)];
    if (typeof before !== "string") return ["10.2", `path ${JSON.stringify(path)} leads to no text`];
    if (before.length === at) holder[path.at(-1)] = before + text;
    else if (!before.startsWith(text, at) || before.length < at) {
      return ["10.2", `at is ${at}, and the text has ${before.length} UTF-16 code units`];
    }
    this.list(type).set(id, copy);
    return null;
  }

  /** How this differs from what is true, or null. Of messages it may have the newest only. */
  difference(truth, isAlsoOfEntities = true) {
    const count = this.hasMore ? this.list("intention").size : Number.POSITIVE_INFINITY;
    const known = new Map([...truth.lists, ["intention", byId(truth.messages.slice(-count))]]);
    const types = new Set([
      "being",
      "intention",
      ...(isAlsoOfEntities ? [...known.keys(), ...this.lists.keys()] : []),
    ]);
    for (const type of types) {
      const [mine, theirs] = [this.list(type), known.get(type) ?? new Map()];
      for (const [id, row] of theirs) {
        if (!mine.has(id)) return `${type} ${id} is missing`;
        if (!isDeepStrictEqual(mine.get(id), row)) {
          return `${type} ${id} is ${JSON.stringify(mine.get(id))} instead of ${JSON.stringify(row)}`;
        }
      }
      for (const id of mine.keys()) if (!theirs.has(id)) return `${type} ${id} should not be there`;
    }
    return null;
  }
}

const byId = (rows) => new Map(rows.map((row) => [row.id, row]));

export function epochOf(cursor) {
  return cursor.slice(0, cursor.lastIndexOf("."));
}
