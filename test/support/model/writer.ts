import type { Session } from "../postgres/session.js";

export type Table = "beings" | "intentions";

/** One statement on a run of a writer's rows. */
export interface Statement {
  table: Table;
  verb: "insert" | "upsert" | "update" | "move" | "delete";
  first: number;
  count: number;
  /** Index of a space; for beings one more than there are, which is none. */
  space: number;
  value: number;
  /** All of one instant, so that the numbers of their messages order them. */
  atOnce: boolean;
}

export const ISOLATIONS = ["read committed", "repeatable read", "serializable"] as const;
/** What a writer does with its transaction. */
export type Verb = "commit" | "rollback" | "savepoint" | "rollback to" | "release" | "immediate";

interface Row {
  space: string | null;
  value: number;
}

/** What is so if the transaction commits. */
interface Draft {
  rows: ReadonlyMap<string, Row>;
  /** The rows as they were when they were recorded last: at the last commit, or with immediate constraints. */
  recorded: ReadonlyMap<string, Row>;
  /** Where rows have changed since then. */
  touched: { space: string; key: string }[];
  changed: ReadonlySet<string>;
  immediate: boolean;
}

/** What all writers together have committed. */
export interface Ledger {
  spaces: string[];
  /** Committed transactions that changed each space. */
  versions: Map<string, number>;
  committed: number;
  undone: number;
}

const SQL = {
  beings: {
    insert: `insert into beings (id, location_id, name, created_at)
             select id, $2, $3, coalesce($4, clock_timestamp()) from unnest($1::text[]) as id on conflict (id) do `,
    upsert: "update set location_id = excluded.location_id, name = excluded.name",
    update: "update beings set name = $2 where id = any($1)",
  },
  intentions: {
    insert: `insert into intentions (id, location_id, content, created_at)
             select id, $2, $3, coalesce($4, clock_timestamp()) from unnest($1::text[]) as id on conflict (id) do `,
    upsert: "update set location_id = excluded.location_id, content = excluded.content",
    update: "update intentions set content = $2 where id = any($1)",
  },
} as const;

/**
 * A session that writes rows of its own, and knows which spaces each of its transactions has changed. What
 * is asked of it is queued; a refusal (40001, a lock that did not come in time) is a rollback.
 */
export class ModelWriter {
  #rows: ReadonlyMap<string, Row> = new Map();
  /** The open transaction and its savepoints, outermost first; empty when none is open. */
  #drafts: Draft[] = [];
  #queue: Promise<void> = Promise.resolve();

  constructor(
    readonly session: Session,
    readonly name: string,
    readonly ledger: Ledger,
  ) {}

  get isOpen(): boolean {
    return this.#drafts.length > 0;
  }

  /** The table was truncated. */
  forget(table: Table): void {
    this.#rows = new Map([...this.#rows].filter(([key]) => !key.startsWith(`${table} `)));
  }

  begin(isolation: (typeof ISOLATIONS)[number]): Promise<void> {
    return this.#then(async () => {
      if (this.isOpen) return;
      await this.session.query(`begin isolation level ${isolation}`);
      this.#drafts = [this.#draft()];
    });
  }

  write(statement: Statement): Promise<void> {
    return this.#then(async () => {
      const wasOpen = this.isOpen;
      const before = this.#drafts.at(-1) ?? this.#draft();
      const after = this.#foresee(statement, before);
      if (!(await this.#attempt(...this.#sql(statement)))) return;
      if (wasOpen) this.#drafts[this.#drafts.length - 1] = after.immediate ? record(after) : after;
      else this.#book(after);
    });
  }

  end(verb: Verb): Promise<void> {
    return this.#then(async () => {
      const last = this.#drafts.at(-1);
      if (!last) return;
      const name = `s${this.#drafts.length}`;
      if (verb === "savepoint") {
        if (await this.#attempt(`savepoint ${name}`)) this.#drafts.push({ ...last });
      } else if (verb === "immediate") {
        if (await this.#attempt("set constraints all immediate")) {
          this.#drafts[this.#drafts.length - 1] = record({ ...last, immediate: true });
        }
      } else if (verb === "commit") {
        if (await this.#attempt("commit")) this.#book(last);
      } else if (verb === "rollback") {
        await this.#undo();
      } else if (this.#drafts.length > 1) {
        const savepoint = `s${this.#drafts.length - 1}`;
        const [first, ...more] =
          verb === "release"
            ? [`release ${savepoint}`]
            : [`rollback to ${savepoint}`, `release ${savepoint}`];
        if (!(await this.#attempt(first as string)) || (more[0] && !(await this.#attempt(more[0])))) return;
        this.#drafts.pop();
        if (verb === "release") this.#drafts[this.#drafts.length - 1] = last;
      }
    });
  }

  /** All that was asked is done. */
  settled(): Promise<void> {
    return this.#queue;
  }

  #then(work: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(work);
    this.#queue.catch(() => {}); // whoever awaits settled() gets it
    return this.#queue;
  }

  async #attempt(text: string, values?: unknown[]): Promise<boolean> {
    const { error } = await this.session.outcome(text, values);
    if (!error) return true;
    if (!/^(40001|40P01|55P03)$/.test(error.code ?? "")) throw error;
    await this.#undo();
    return false;
  }

  async #undo(): Promise<void> {
    this.ledger.undone++;
    if (this.isOpen) await this.session.query("rollback");
    this.#drafts = [];
  }

  #draft(): Draft {
    return { rows: this.#rows, recorded: this.#rows, touched: [], changed: new Set(), immediate: false };
  }

  #book(draft: Draft): void {
    const { versions } = this.ledger;
    this.#rows = draft.rows;
    this.#drafts = [];
    this.ledger.committed++;
    for (const space of record(draft).changed) versions.set(space, (versions.get(space) ?? 0) + 1);
  }

  #foresee({ table, verb, value, ...statement }: Statement, before: Draft): Draft {
    const space = this.#spaceOf({ table, ...statement });
    const rows = new Map(before.rows);
    const touched = [...before.touched];
    for (const id of this.#ids(statement)) {
      const key = `${table} ${id}`;
      const row = rows.get(key);
      let next: Row | undefined;
      if (!row) next = verb === "insert" || verb === "upsert" ? { space, value } : undefined;
      else if (verb === "insert") next = row;
      else if (verb === "upsert") next = { space, value };
      else if (verb === "update") next = { ...row, value };
      else if (verb === "move") next = { ...row, space };
      if (row?.space === next?.space && row?.value === next?.value) continue;
      for (const where of [row?.space, next?.space]) if (where) touched.push({ space: where, key });
      if (next) rows.set(key, next);
      else rows.delete(key);
    }
    return { ...before, rows, touched };
  }

  #sql({ table, verb, value, atOnce, ...statement }: Statement): [string, unknown[]] {
    const ids = this.#ids(statement);
    const space = this.#spaceOf({ table, ...statement });
    // Some are long, and of characters that fall between two pieces of the stream.
    const text = `${value}${"é".repeat(value === 7 ? 3_000 : 0)}`;
    const content = table === "beings" ? text : JSON.stringify([text]);
    const { insert, upsert, update } = SQL[table];
    switch (verb) {
      case "insert":
      case "upsert": {
        const conflict = verb === "insert" ? "nothing" : upsert;
        return [insert + conflict, [ids, space, content, atOnce ? "2026-01-01T00:00:00Z" : null]];
      }
      case "update":
        return [update, [ids, content]];
      case "move":
        return [`update ${table} set location_id = $2 where id = any($1)`, [ids, space]];
      case "delete":
        return [`delete from ${table} where id = any($1)`, [ids]];
    }
  }

  #ids({ first, count }: Pick<Statement, "first" | "count">): string[] {
    return Array.from({ length: count }, (_, i) => `${this.name}-${first + i}`);
  }

  #spaceOf({ table, space }: Pick<Statement, "table" | "space">): string | null {
    const { spaces } = this.ledger;
    if (table === "beings" && space % (spaces.length + 1) === spaces.length) return null;
    return spaces[space % spaces.length] as string;
  }
}

/** Which spaces have changed: what came and went again since it was recorded last is no change. */
function record({ rows, recorded, touched, changed, immediate }: Draft): Draft {
  const isIn = (where: ReadonlyMap<string, Row>, key: string, space: string) =>
    where.get(key)?.space === space;
  const spaces = touched.filter(({ space, key }) => isIn(rows, key, space) || isIn(recorded, key, space));
  const all = new Set([...changed, ...spaces.map(({ space }) => space)]);
  return { rows, recorded: rows, touched: [], changed: all, immediate };
}
