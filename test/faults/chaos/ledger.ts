export type Outcome = "acknowledged" | "refused" | "unknown";
/** Whether the rows of a write must be there. */
type Expectation = "present" | "absent" | "either";

/** One transaction's rows, each with an ID that is used once: `<token>` and a number. */
interface Fact {
  token: string;
  table: "beings" | "intentions";
  rows: number;
  expect: Expectation;
  /** It was refused: nobody may ever have seen it. */
  isPhantom: boolean;
}

interface Counter {
  acknowledged: number;
  issued: number;
  refused: Set<number>;
}

/** A write that is under way. `since`: milliseconds of the wall clock, which all processes share. */
export interface Draft {
  since: number;
  fact: Fact;
  does: "create" | "delete";
}

/** What writers have been told, and therefore what the database must have when all is quiet. */
export class Ledger {
  readonly totals: Record<Outcome, number> = { acknowledged: 0, refused: 0, unknown: 0 };
  readonly #facts = new Map<string, Fact>();
  readonly #counters = new Map<string, Counter>();
  #truncations: { since: number; until: number }[] = [];

  /** Before the rows of a fact are written, or deleted. */
  begin(does: Draft["does"], token: string, table: Fact["table"] = "intentions", rows = 1): Draft {
    let fact = this.#facts.get(token);
    if (!fact) {
      fact = { token, table, rows, expect: "absent", isPhantom: false };
      this.#facts.set(token, fact);
    }
    return { since: Date.now(), fact, does };
  }

  /** What the writer has been told. */
  end({ since, fact, does }: Draft, outcome: Outcome): void {
    this.totals[outcome]++;
    if (outcome === "refused" && does === "create") fact.isPhantom = true;
    if (outcome === "unknown") fact.expect = "either";
    if (outcome === "acknowledged") fact.expect = does === "create" ? "present" : "absent";
    const isTruncated = fact.table === "intentions" && this.#truncations.some(({ until }) => until >= since);
    if (isTruncated && fact.expect === "present") fact.expect = "either";
  }

  /**
   * All messages are gone that were there. Those that a relay was asked for may come again: a request that was
   * given up as lost can still be carried out.
   */
  truncated(since: number, outcome: Outcome): void {
    this.totals[outcome]++;
    if (outcome === "refused") return;
    this.#truncations.push({ since, until: Date.now() });
    for (const fact of this.#facts.values()) {
      if (fact.table === "intentions" && fact.expect === "present") fact.expect = "either";
    }
  }

  /** A writer's own row gets the next value; what became of it is told with `counted`. */
  next(counter: string): number {
    const known = this.#counters.get(counter) ?? { acknowledged: 0, issued: 0, refused: new Set<number>() };
    this.#counters.set(counter, known);
    return ++known.issued;
  }

  counted(counter: string, value: number, outcome: Outcome): void {
    this.totals[outcome]++;
    const known = this.#counters.get(counter) as Counter;
    if (outcome === "acknowledged") known.acknowledged = Math.max(known.acknowledged, value);
    if (outcome === "refused") known.refused.add(value);
  }

  /** What nobody may ever have seen. */
  refusedTokens(): string[] {
    return [...this.#facts.values()].filter(({ isPhantom }) => isPhantom).map(({ token }) => token);
  }

  /** What the database has that it must not have, or the other way round. `rows`: how many of each token. */
  faults(rows: ReadonlyMap<string, number>, counters: ReadonlyMap<string, number>): string[] {
    const faults: string[] = [];
    for (const { token, expect, rows: wanted } of this.#facts.values()) {
      const has = rows.get(token) ?? 0;
      if (expect === "present" && has < wanted)
        faults.push(`acknowledged and lost: ${token}, ${has} of ${wanted} rows`);
      if (expect === "absent" && has > 0) faults.push(`refused or deleted, and there: ${token}, ${has} rows`);
      if (expect === "either" && has > 0 && has < wanted)
        faults.push(`half there: ${token}, ${has} of ${wanted} rows`);
    }
    for (const [counter, { acknowledged, issued, refused }] of this.#counters) {
      const value = counters.get(counter) ?? 0;
      if (value < acknowledged || value > issued || refused.has(value)) {
        faults.push(`${counter} is ${value}: acknowledged ${acknowledged}, issued ${issued}`);
      }
    }
    return faults;
  }

  /** Everything is checked, and its rows are going to be deleted. */
  forget(): void {
    this.#facts.clear();
    this.#truncations = [];
  }
}
