import { setTimeout as sleep } from "node:timers/promises";
import type { Chance } from "../../support/process/chance.js";
import type { Journal } from "./journal.js";
import type { Ledger, Outcome } from "./ledger.js";

const TRIES = 4;

/** A program that POSTs to the API with IDs of its own, and asks again when it gets no answer. */
export class ApiWriter {
  #made = 0;

  constructor(
    readonly name: string,
    readonly doors: readonly string[],
    readonly ledger: Ledger,
    readonly journal: Journal,
    readonly chance: Chance,
    readonly spaces: readonly string[],
  ) {}

  async act(): Promise<void> {
    const isMessage = this.chance.is(0.7);
    const token = `${this.name}.${++this.#made}`;
    const body = {
      action: "create",
      spaceId: this.chance.of(this.spaces),
      [isMessage ? "intentionId" : "beingId"]: `${token}#1`,
      data: { name: token },
    };
    this.journal.count("write: API, raw POST");
    const draft = this.ledger.begin("create", token, isMessage ? "intentions" : "beings");
    this.ledger.end(draft, await this.#post(isMessage ? "intentions" : "beings", body));
  }

  async #post(path: string, body: object): Promise<Outcome> {
    let mayBeThere = false;
    for (let tries = 1; tries <= TRIES; tries++) {
      try {
        const response = await fetch(`${this.chance.of(this.doors)}/api/${path}`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(body),
          signal: AbortSignal.timeout(8_000),
        });
        const text = await response.text();
        if (response.ok) return "acknowledged";
        this.journal.count(`refusal: API, ${response.status}`);
        if (response.status === 500) this.journal.object(`the API answers 500: ${text}`);
        if (response.status < 500 && response.status !== 429) return mayBeThere ? "unknown" : "refused";
        mayBeThere ||= response.status !== 429;
      } catch {
        this.journal.count("refusal: API, no answer");
        mayBeThere = true;
      }
      await sleep(this.chance.below(1_000) * tries);
    }
    return mayBeThere ? "unknown" : "refused";
  }
}
