import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { SpacefeedError } from "../../protocol/errors.js";
import { command } from "./command.js";
import { asDba } from "./dba.js";
import { type Field, typeMap, zodMap } from "./type-text.js";

/** `spacefeed types`: what rows of tracked tables are, for TypeScript. */
export function types(): Command {
  return command(
    "types",
    "print the types of tracked tables' rows for TypeScript, from the database's catalog",
    "spacefeed types --out entities.ts",
  )
    .option("--zod", "schemas of zod, and the types from them")
    .option("--out <file>", "write it there")
    .action(({ zod, out }: { zod?: true; out?: string }) =>
      asDba("types", async (dba) => {
        const { rows } = await dba.query<Field>(
          `select entity_type as type, of_table as "table", field, json_type as "jsonType", labels, dimensions,
             is_nullable as "isNullable", is_replaced as "isReplaced"
           from sync.fields() where entity_type not in ('being', 'intention')`,
        );
        const text = zod ? zodMap(rows) : typeMap(rows);
        if (!out) process.stdout.write(text);
        else {
          await writeFile(out, text).catch(({ message }) => {
            throw new SpacefeedError("config", `--out: ${message}`);
          });
        }
      }),
    );
}
