import type { Command } from "commander";
import { schemaSql } from "../postgres/migrate.js";
import { command } from "./command.js";

/** `spacefeed sql`: the schema as text. */
export function sql(): Command {
  return command(
    "sql",
    "print the whole schema in order, for a database that has none of it",
    "spacefeed sql | psql postgres://me@db:5432/app -v ON_ERROR_STOP=1 -f -",
  ).action(async () => {
    process.stdout.write(await schemaSql());
  });
}
