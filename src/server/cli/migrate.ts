import type { Command } from "commander";
import { SpacefeedError } from "../../protocol/errors.js";
import { migrate as migrateDatabase, migrationStatus } from "../postgres/migrate.js";
import { command } from "./command.js";
import { databaseUrlOf } from "./dba.js";

/** `spacefeed migrate`: the schema of a database, up, down, or looked at. */
export function migrate(): Command {
  return command(
    "migrate",
    "bring the database of DATABASE_URL to this version (up), take the last step back (down), or look (status)",
    "DATABASE_URL=postgres://me@db:5432/app spacefeed migrate status",
  )
    .argument("[action]", "up, down or status", "up")
    .action(runMigration);
}

async function runMigration(action: string): Promise<void> {
  const databaseUrl = await databaseUrlOf("migrate");
  if (action === "status") {
    for (const { name, applied } of await migrationStatus(databaseUrl)) {
      process.stdout.write(`${applied ? "applied" : "missing"}  ${name}\n`);
    }
  } else if (action === "up" || action === "down") {
    const tell = (message: string) => process.stderr.write(`${message}\n`);
    const names = await migrateDatabase(databaseUrl, action, tell);
    process.stdout.write(`${action}: ${names.join(", ") || "nothing to do"}\n`);
  } else {
    throw new SpacefeedError("config", `migrate ${action}: the actions are up, down and status`);
  }
}
