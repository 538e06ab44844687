/** Counters of the relays, and what they are called in the account. */
const COUNTERS = {
  spacefeed_events_sent_total: "groups of events that the relays sent, as far as they lived to say so",
  spacefeed_sleep_changes_total: "changes of the relays between asleep and awake",
} as const;

/** Adds up the counters of relays, which begin anew with each process. */
export class Meter {
  readonly totals: Record<string, number> = {};
  readonly #last = new Map<string, number>();

  /** Reads them, unless the relay is away. */
  async read(relayUrl: string): Promise<void> {
    const text = await fetch(`${relayUrl}/metrics`, { signal: AbortSignal.timeout(2_000) }).then(
      (answer) => answer.text(),
      () => "",
    );
    for (const [name, title] of Object.entries(COUNTERS)) {
      const lines = [...text.matchAll(new RegExp(`^${name}(?:{.*})? (\\S+)$`, "gm"))];
      if (lines.length === 0) continue;
      const value = lines.reduce((sum, [, number]) => sum + Number(number), 0);
      const before = this.#last.get(relayUrl + name) ?? 0;
      this.#last.set(relayUrl + name, value);
      this.totals[title] = (this.totals[title] ?? 0) + (value < before ? value : value - before);
    }
  }
}
