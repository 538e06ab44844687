import type { Command } from "commander";
import type pg from "pg";
import { command, countOf } from "./command.js";
import { asDba } from "./dba.js";

interface Options {
  space?: string[];
  columns?: string;
  name?: string;
  writable?: true;
  sortedBy?: string;
  label?: string;
  stamp?: string;
  owner?: string;
  batch: number;
}

/** `spacefeed track`: has clients see a table, with the rows that it has. A second run goes on where one was stopped. */
export function track(): Command {
  return command(
    "track",
    "have clients see a table: adds triggers to it, and then records the rows that are there, in batches",
    "spacefeed track public.tasks --space project_id --columns id,title,done --name task --writable",
  )
    .argument("<table>", "the table, with its schema")
    .option("--space <column...>", "the columns that say which spaces a row is in")
    .option(
      "--columns <list>",
      "what leaves the database, with commas; without it you are told what there is",
    )
    .option("--name <name>", "what a row is called on the wire; unless given, the table's name")
    .option("--writable", "the API may write it, where sync.authorize() says so")
    .option("--sorted-by <column>", "the order of a list")
    .option("--label <column>", "a second name, unique, by which a list is paged, newest first")
    .option("--stamp <column>", "has another value after each change")
    .option("--owner <column>", "the being whose row it is")
    .option("--batch <rows>", "rows that are there, in one transaction", countOf("--batch"), 10_000)
    .action((table: string, options: Options) => asDba("track", (dba) => trackAndFill(dba, table, options)));
}

async function trackAndFill(dba: pg.Client, table: string, options: Options): Promise<void> {
  const { space, columns, name, writable, sortedBy, label, stamp, owner, batch } = options;
  const { rows } = await dba.query<{ said: string }>(
    `select sync.track($1::regclass, spaces => $2, columns => $3, name => $4, writable => $5, sorted_by => $6,
       label => $7, stamp => $8, owner => $9) as said`,
    [
      table,
      space,
      columns?.split(",").map((column) => column.trim()),
      name,
      writable === true,
      sortedBy,
      label,
      stamp,
      owner,
    ],
  );
  const found = await dba.query<{ type: string; about: number }>(
    `select k.entity_type as type,
       (select sum(greatest(c.reltuples, 0))::float8 from sync._relations($1::regclass) r join pg_class c on c.oid = r.oid) as about
     from sync.tracked k where to_regclass(k.of_table) = $1::regclass`,
    [table],
  );
  const { type = "", about = 0 } = found.rows[0] ?? {};
  await fill(dba, type, batch, about);
  process.stdout.write(`${rows[0]?.said.replace(/ Now: call sync\.fill\(.*?\);/, "")}\n`);
}

/** Each batch is a transaction, which says in a notice how far it is: so it can be stopped at any time. */
async function fill(dba: pg.Client, type: string, batch: number, about: number): Promise<void> {
  const of = about > 0 ? ` of about ${Math.round(about)}` : "";
  let seen = 0;
  dba.on("notice", ({ message }) => {
    const rows = message?.includes("filled up to") ? ` (${seen}${of} rows)` : "";
    process.stderr.write(`${message}${rows}\n`);
  });
  for (let isDone = false; !isDone; ) {
    seen += batch;
    const { rows } = await dba.query<{ done: boolean }>("select sync._fill($1, $2) as done", [type, batch]);
    isDone = rows[0]?.done !== false;
  }
}
