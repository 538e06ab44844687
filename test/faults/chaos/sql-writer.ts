import { copyFrom } from "../../support/postgres/copy.js";
import type { Chance } from "../../support/process/chance.js";
import type { Journal } from "./journal.js";
import type { Ledger, Outcome } from "./ledger.js";
import type { Postgres } from "./postgres.js";
import { counterOf, someShared, twins } from "./space.js";
import { SqlSession } from "./sql-session.js";

const BULK = 5_000;
const INSERT = `insert into public.intentions (id, location_id, name)
  select $1 || '#' || n, $2, $1 from generate_series(1, $3::int) as n`;

/** An application that writes to the tables, from a session of its own, in every way there is. */
export class SqlWriter {
  readonly session: SqlSession;
  #made = 0;
  /** What it has written and could delete. */
  #tokens: string[] = [];

  constructor(
    readonly name: string,
    postgres: Postgres,
    readonly ledger: Ledger,
    readonly journal: Journal,
    readonly chance: Chance,
    readonly spaces: readonly string[],
  ) {
    this.session = new SqlSession(`chaos writer ${name}`, postgres, journal);
  }

  /** What it does, and how often compared with the others. */
  readonly #ways: [number, string, () => Promise<unknown>][] = [
    [20, "SQL, autocommit", () => this.#say(1 + this.chance.below(3))],
    [12, "SQL, update", () => this.#changeShared()],
    [10, "SQL, update of a row of its own", () => this.#count()],
    [10, "SQL, transaction", () => this.#changeTwins()],
    [10, "move between spaces", () => this.#move()],
    [8, "transaction over several spaces", () => this.#sayInMany("read committed")],
    [8, "repeatable read", () => this.#sayInMany("repeatable read")],
    [8, "savepoint, rolled back", () => this.#withPhantoms("rollback to s", "commit")],
    [4, "transaction, rolled back", () => this.#withPhantoms("rollback")],
    [6, "COPY", () => this.#copy()],
    [8, "upsert", () => this.#upsert()],
    [3, "delete of what others change", () => this.#deleteShared()],
    [8, "delete", () => this.#deleteOwn()],
    [0.3, "bulk of 5,000 rows", () => this.#say(BULK)],
  ];

  /** One write, of some kind. Never rejects: what becomes of it is in the ledger. */
  async act(): Promise<void> {
    const [, kind, write] = this.chance.weighted(this.#ways, ([weight]) => weight) ?? [];
    if (!kind || !write || !(await this.session.isOpen())) return;
    this.journal.count(`write: ${kind}`);
    await write();
  }

  /** A transaction that stays open for a while, in the midst of what others do. */
  async linger(aWhile: () => Promise<unknown>): Promise<void> {
    if (!(await this.session.isOpen())) return;
    this.journal.count("write: transaction held open");
    const token = this.#token();
    const draft = this.ledger.begin("create", token, "intentions", 4);
    const [here, there] = [this.#space(), this.#space()];
    const outcome = await this.session.transact("read committed", async (client) => {
      await client.query(INSERT, [token, here, 3]);
      await aWhile();
      await client.query(INSERT.replace("|| n", "|| (n + 3)"), [token, there, 1]);
    });
    this.ledger.end(draft, outcome);
  }

  /** TRUNCATE of all messages; what it waits for must not make everybody wait for it. */
  async truncate(): Promise<void> {
    if (!(await this.session.isOpen())) return;
    this.journal.count("write: TRUNCATE");
    const since = Date.now();
    const outcome = await this.session.transact("read committed", async (client) => {
      await client.query("set local lock_timeout = '4s'");
      await client.query("truncate public.intentions");
    });
    this.ledger.truncated(since, outcome);
    if (outcome === "acknowledged") this.journal.note("all messages are truncated");
  }

  async #say(rows: number): Promise<void> {
    await this.#create(rows, (token) => this.session.statement(INSERT, [token, this.#space(), rows]));
  }

  async #copy(): Promise<void> {
    const rows = 1 + this.chance.below(30);
    await this.#create(rows, async (token) => {
      const space = this.#space();
      const lines = Array.from({ length: rows }, (_, n) => `${token}#${n + 1}\t${space}\t${token}`);
      const statement = "copy public.intentions (id, location_id, name) from stdin";
      return this.session.settle((client) => copyFrom({ client }, statement, `${lines.join("\n")}\n`));
    });
  }

  async #sayInMany(isolation: string): Promise<void> {
    const spaces = [this.#space(), this.#space(), this.#space()];
    await this.#create(spaces.length, (token) =>
      this.session.transact(isolation, async (client) => {
        for (const [index, space] of spaces.entries()) {
          await client.query("insert into public.intentions (id, location_id, name) values ($1, $2, $3)", [
            `${token}#${index + 1}`,
            space,
            token,
          ]);
        }
      }),
    );
  }

  async #withPhantoms(...ends: string[]): Promise<void> {
    const isUndone = ends.length === 1;
    const token = this.#token();
    const draft = this.ledger.begin("create", token);
    const space = this.#space();
    const outcome = await this.session.transact(
      "read committed",
      async (client) => {
        await client.query(INSERT, [token, space, 1]);
        await client.query("savepoint s");
        await client.query(INSERT, [`phantom ${token}`, space, 1 + this.chance.below(20)]);
        await client.query("update public.beings set name = 'phantom' where id = any($1)", [twins(space)]);
        await client.query("delete from public.intentions where id = $1", [
          someShared(this.chance, "message", this.spaces),
        ]);
        for (const end of ends.slice(0, -1)) await client.query(end);
      },
      ends.at(-1),
    );
    this.ledger.end(draft, isUndone ? "refused" : outcome);
  }

  async #count(): Promise<void> {
    const row = counterOf(this.name);
    const value = this.ledger.next(row);
    const outcome = await this.session.statement("update public.beings set name = $2 where id = $1", [
      row,
      String(value),
    ]);
    this.ledger.counted(row, value, outcome);
  }

  async #changeShared(): Promise<void> {
    const table = this.chance.is(0.5) ? "beings" : "intentions";
    const id = someShared(this.chance, table === "beings" ? "being" : "message", this.spaces);
    const value = this.#token();
    await this.#untold(
      this.session.statement(`update public.${table} set name = $2 where id = $1`, [id, value]),
    );
  }

  async #changeTwins(): Promise<void> {
    const [left, right] = twins(this.#space());
    const value = this.#token();
    await this.#untold(
      this.session.transact("read committed", async (client) => {
        for (const id of [left, right]) {
          await client.query("update public.beings set name = $2 where id = $1", [id, value]);
        }
      }),
    );
  }

  async #move(): Promise<void> {
    const [being, message] = (["being", "message"] as const).map((kind) =>
      someShared(this.chance, kind, this.spaces),
    );
    const to = this.#space();
    await this.#untold(
      this.session.transact("read committed", async (client) => {
        await client.query("update public.beings set location_id = $2 where id = $1", [being, to]);
        await client.query("update public.intentions set location_id = $2 where id = $1", [message, to]);
      }),
    );
  }

  async #upsert(): Promise<void> {
    const id = someShared(this.chance, "message", this.spaces);
    await this.#untold(
      this.session.statement(
        `insert into public.intentions (id, location_id, name) values ($1, $2, $3)
         on conflict (id) do update set name = excluded.name, location_id = excluded.location_id`,
        [id, this.#space(), this.#token()],
      ),
    );
  }

  async #deleteShared(): Promise<void> {
    const id = someShared(this.chance, "message", this.spaces);
    await this.#untold(this.session.statement("delete from public.intentions where id = $1", [id]));
  }

  async #deleteOwn(): Promise<void> {
    const [token] = this.#tokens.splice(this.chance.below(this.#tokens.length), 1);
    if (!token) return;
    const draft = this.ledger.begin("delete", token);
    this.ledger.end(
      draft,
      await this.session.statement("delete from public.intentions where name = $1", [token]),
    );
  }

  async #create(rows: number, write: (token: string) => Promise<Outcome>): Promise<void> {
    const token = this.#token();
    const draft = this.ledger.begin("create", token, "intentions", rows);
    const outcome = await write(token);
    this.ledger.end(draft, outcome);
    if (outcome === "acknowledged") this.#tokens.push(token);
  }

  /** Counted, but not followed: others overwrite it. */
  async #untold(write: Promise<Outcome>): Promise<void> {
    this.ledger.totals[await write]++;
  }

  #token(): string {
    return `${this.name}.${++this.#made}`;
  }

  #space(): string {
    return this.chance.of(this.spaces) ?? "";
  }
}
