import { appendFileSync } from "node:fs";
import { join } from "node:path";

/** What happens, for whoever watches and for the file beside the logs; and what must not have happened. */
export class Journal {
  readonly objections: string[] = [];
  /** How often each thing was counted. */
  readonly counts: Record<string, number> = {};
  readonly #started = performance.now();

  constructor(readonly directory: string) {}

  /** A line for the file only. */
  note(text: string): void {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1).padStart(6);
    appendFileSync(join(this.directory, "chaos.log"), `${seconds} s  ${text}\n`);
  }

  /** A line for both. */
  say(text: string): void {
    this.note(text);
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(0).padStart(4);
    process.stderr.write(`chaos ${seconds} s  ${text}\n`);
  }

  /** Something that must never be. The run goes on, and fails. */
  object(text: string): void {
    this.objections.push(text);
    // The thousandth of a kind tells nobody anything.
    if (this.objections.length <= 50) this.say(`OBJECTION: ${text}`);
    else this.note(`OBJECTION: ${text}`);
  }

  count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by;
  }
}
