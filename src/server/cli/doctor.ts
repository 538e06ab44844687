import type { Command } from "commander";
import { pino } from "pino";
import { SpacefeedError } from "../../protocol/errors.js";
import { readConfig } from "../config.js";
import { Listener } from "../postgres/listener.js";
import { migrationStatus } from "../postgres/migrate.js";
import { asLibpq } from "../postgres/tls.js";
import { command } from "./command.js";
import { asDba, databaseUrlOf } from "./dba.js";
import { oneLine } from "./printable.js";

interface Check {
  area: string;
  state: "ok" | "warn" | "fail";
  found: string;
  /** What to run, mostly SQL; null: nothing. */
  remedy: string | null;
}

/** `spacefeed doctor`: what is well and what is not, and what to run. What SQL can tell is in sync.checks(). */
export function doctor(): Command {
  return command(
    "doctor",
    "look at everything that may be wrong, and say what to run; its exit code is 1 where something fails",
    "spacefeed doctor --verify || echo 'to be mended'",
  )
    .option("--json", "one JSON text")
    .option("--verify", "compare what is recorded with the tables, too: it reads them whole")
    .action(async ({ json, verify }: { json?: true; verify?: true }) => {
      const checks = await look(verify === true);
      const isWell = checks.every(({ state }) => state !== "fail");
      process.stdout.write(
        json ? `${JSON.stringify({ ok: isWell, checks })}\n` : checks.map(lineOf).join(""),
      );
      if (!isWell) process.exitCode = 1;
    });
}

/** Where the database cannot be reached there is nothing to look at. */
async function look(verify: boolean): Promise<Check[]> {
  return asDba("doctor", async (dba) => {
    const [migrations, listen] = [await migrationCheck(), await listenCheck()];
    if (migrations.state === "fail") return [migrations, listen];
    const asked = await dba.query<Check>("select area, state, found, remedy from sync.checks($1)", [verify]);
    return [migrations, listen, ...asked.rows];
  });
}

async function migrationCheck(): Promise<Check> {
  const status = await migrationStatus(await databaseUrlOf("doctor"));
  const missing = status.filter(({ applied }) => !applied).map(({ name }) => name);
  const area = "migrations";
  if (missing.length === 0) return { area, state: "ok", found: `all ${status.length} applied`, remedy: null };
  return { area, state: "fail", found: `missing: ${missing.join(", ")}`, remedy: "spacefeed migrate up" };
}

/** LISTEN on one session, NOTIFY on another, as a relay does it at its start. */
async function listenCheck(): Promise<Check> {
  const { listenDatabaseUrl, databaseUrl } = readConfig(process.env);
  const url = await asLibpq(listenDatabaseUrl ?? (databaseUrl as string));
  const [log, ignore] = [pino({ level: "silent" }), () => {}];
  const listener = new Listener({ url, log, onWake: ignore, onLeft: ignore, onListening: ignore });
  const area = "listen";
  try {
    await listener.start();
    return { area, state: "ok", found: "a notification of another session arrives", remedy: null };
  } catch (error) {
    if (!(error instanceof SpacefeedError)) throw error;
    const remedy = "Set LISTEN_DATABASE_URL to the Postgres itself, if there is a pooler before it.";
    return { area, state: "fail", found: error.message, remedy };
  } finally {
    await listener.close();
  }
}

function lineOf({ area, state, found, remedy }: Check): string {
  const line = `${state.padEnd(4)}  ${area.padEnd(12)}  ${oneLine(found)}\n`;
  return remedy === null ? line : `${line}${" ".repeat(20)}→ ${oneLine(remedy)}\n`;
}
