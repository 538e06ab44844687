import type { Command } from "commander";
import { command } from "./command.js";
import { asDba } from "./dba.js";
import { tableOf } from "./table.js";

interface Tracked {
  name: string;
  table: string;
  spaces: string[];
  columns: string[];
  writable: string[];
  /** Up to which ID the rows that were there are recorded; null: all are. */
  filledTo: string | null;
}

/** `spacefeed tracked`: the tables that clients see. */
export function tracked(): Command {
  return command(
    "tracked",
    "list the tables whose rows clients see, and what of them leaves",
    "spacefeed tracked --json | jq -r .[].name",
  )
    .option("--json", "one JSON text")
    .action(({ json }: { json?: true }) =>
      asDba("tracked", async (dba) => {
        const { rows } = await dba.query<Tracked>(
          `select k.entity_type as name, k.of_table as "table", k.space_columns as spaces, k.columns, k.writable,
             k.filled_to as "filledTo"
           from sync.tracked k order by k.entity_type`,
        );
        process.stdout.write(json ? `${JSON.stringify(rows)}\n` : tableOf(HEADING, rows.map(lineOf)));
      }),
    );
}

const HEADING = ["name", "table", "spaces", "columns", "writable", "filled"];

function lineOf({ name, table, spaces, columns, writable, filledTo }: Tracked): string[] {
  const filled = filledTo === null ? "yes" : `up to ${filledTo || "none"}`;
  return [name, table, spaces.join(","), columns.join(","), writable.join(",") || "no", filled];
}
