import type { Logger } from "pino";
import { toSpacefeedError } from "../errors.js";
import type { Database } from "../functions.js";

/**
 * Watches for the quiet troubles of the database: triggers that are away or switched off, a database
 * that is read-only. Which ones there are is known in SQL, in sync.warnings().
 */
export function warningWatch(database: Database, log: Logger) {
  /** What the log has been told of, and still is so. */
  let told: string[] = [];

  async function ask(): Promise<string[]> {
    try {
      const troubles = await database.warnings();
      return troubles.map(({ message, remedy }) => `${message}. Run: ${remedy}`);
    } catch (error) {
      const { code, cause, message } = toSpacefeedError(error);
      // A database that is away is told of by whoever asks it for more.
      if (code === "unavailable") return told;
      const reason = cause instanceof Error ? cause.message : message;
      return [
        `the database cannot be asked for its warnings (${reason}). Run: spacefeed migrate up, as its owner`,
      ];
    }
  }

  return {
    /** Looks, and returns the warnings for `/readyz`, each with what to run. Never rejects. */
    async look(): Promise<string[]> {
      const warnings = await ask();
      for (const warning of warnings) if (!told.includes(warning)) log.warn(warning);
      for (const warning of told) if (!warnings.includes(warning)) log.info(`no longer: ${warning}`);
      told = warnings;
      return warnings;
    },
  };
}
