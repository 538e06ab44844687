import type { Command } from "commander";
import { command } from "./command.js";
import { asDba } from "./dba.js";

/** `spacefeed untrack`: leaves a table as it was before it was tracked. */
export function untrack(): Command {
  return command(
    "untrack",
    "take everything of Spacefeed off a table: its rows stay, and clients lose them",
    "spacefeed untrack task",
  )
    .argument("<name>", "what its rows are called on the wire, see: spacefeed tracked")
    .action((name: string) =>
      asDba("untrack", async (dba) => {
        const { rows } = await dba.query<{ said: string }>("select sync.untrack($1) as said", [name]);
        process.stdout.write(`${rows[0]?.said}\n`);
      }),
    );
}
