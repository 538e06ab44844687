/** What all clients and readers of a process have seen, and what they must never see. */
export class Witness {
  readonly faults: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #tokens = new Set<string>();
  readonly #seen = new WeakSet<object>();

  /** A row, as somebody got it. */
  see(who: string, row: { id: string; name: string }): void {
    if (this.#seen.has(row)) return;
    this.#seen.add(row);
    const mark = row.id.indexOf("#");
    if (mark > 0) this.#tokens.add(row.id.slice(0, mark));
    if (row.id.startsWith("phantom") || row.name === "phantom")
      this.object(who, `sees a phantom: ${JSON.stringify(row)}`);
  }

  object(who: string, fault: string): void {
    if (this.faults.length < 100) this.faults.push(`${who} ${fault}`);
  }

  count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by;
  }

  /** Those of these writes that somebody has seen. */
  among(tokens: readonly string[]): string[] {
    return tokens.filter((token) => this.#tokens.has(token));
  }
}
