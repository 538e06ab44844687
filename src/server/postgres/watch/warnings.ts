import type { Logger } from "pino";
import type { Database } from "../functions.js";

/**
 * Watches for the quiet troubles of the database: triggers that are away or switched off, rights that are missing, a
 * database that is read-only. Which ones there are is known in SQL, in sync.warnings().
 */
export class WarningWatch {
  readonly #database: Database;
  readonly #log: Logger;
  /** What the log has been told of, and still is so. */
  #told = new Set<string>();

  constructor(database: Database, log: Logger) {
    this.#database = database;
    this.#log = log;
  }

  /** Looks, and returns the warnings for `/readyz`, each with what to run. Never rejects. */
  async look(): Promise<string[]> {
    const warnings = await this.#ask();
    for (const warning of warnings) if (!this.#told.has(warning)) this.#log.warn(warning);
    for (const warning of this.#told)
      if (!warnings.includes(warning)) this.#log.info(`no longer: ${warning}`);
    this.#told = new Set(warnings);
    return warnings;
  }

  async #ask(): Promise<string[]> {
    try {
      const troubles = await this.#database.warnings();
      return troubles.map(({ message, remedy }) => `${message}. Run: ${remedy}`);
    } catch (error) {
      const { cause } = error as Error;
      // A database that is away is told of by whoever asks it for more.
      if ((error as { code?: string }).code === "unavailable") return [...this.#told];
      const reason = cause instanceof Error ? cause.message : (error as Error).message;
      return [
        `the database cannot be asked for its warnings (${reason}). Run: spacefeed migrate up, as its owner`,
      ];
    }
  }
}
