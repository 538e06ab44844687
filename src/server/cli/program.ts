import { readFileSync } from "node:fs";
import { Command } from "commander";
import { SpacefeedError } from "../../protocol/errors.js";
import { doctor } from "./doctor.js";
import { migrate } from "./migrate.js";
import { type Companions, serve } from "./serve.js";
import { sql } from "./sql.js";
import { tail } from "./tail.js";
import { top } from "./top.js";
import { track } from "./track.js";
import { tracked } from "./tracked.js";
import { types } from "./type-map.js";
import { untrack } from "./untrack.js";

const packageJson = new URL("../../../package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(packageJson, "utf8")) as { version: string };

/** Runs the command line. Errors that the user can put right are one line, without a stack. */
export async function run(argv: string[], companions: Companions = {}): Promise<void> {
  try {
    await program(companions).parseAsync(argv);
  } catch (error) {
    const expected = error instanceof SpacefeedError && error.code !== "internal";
    process.stderr.write(`spacefeed: ${expected ? error.message : (error as Error).stack}\n`);
    process.exitCode = 1;
  }
}

function program(companions: Companions): Command {
  const spacefeed = new Command("spacefeed")
    .description("A sync server whose sync logic is in Postgres")
    .version(version)
    .showHelpAfterError()
    .addHelpText("after", "\nExample:\n  spacefeed serve &\n  spacefeed tail lobby");
  const commands = [serve(companions), migrate(), sql(), tail(), track(), untrack(), tracked(), types()];
  for (const each of [...commands, doctor(), top()]) spacefeed.addCommand(each);
  return spacefeed;
}
