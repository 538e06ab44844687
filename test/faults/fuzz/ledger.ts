import { isDeepStrictEqual } from "node:util";
import type { Session } from "../../support/postgres/session.js";

type Row = Record<string, unknown> & { id: string };
export type Kind = "beings" | "intentions";

/** What must be stored, from the answers of the relay: what it took, and nothing that it refused. */
export class Ledger {
  readonly #rows = { beings: new Map<string, Row>(), intentions: new Map<string, Row>() };

  get(kind: Kind, id: string): Row | undefined {
    return this.#rows[kind].get(id);
  }

  set(kind: Kind, row: Row): void {
    this.#rows[kind].set(row.id, row);
  }

  delete(kind: Kind, id: string): void {
    this.#rows[kind].delete(id);
  }

  get size(): number {
    return this.#rows.beings.size + this.#rows.intentions.size;
  }

  /** What the database has that was not accepted, and the other way round. */
  async faults(session: Session): Promise<string[]> {
    const faults: string[] = [];
    for (const [kind, json] of [
      ["beings", "being_json"],
      ["intentions", "intention_json"],
    ] as const) {
      const stored = await session.query(`select sync.${json}(e)::text as json from public.${kind} as e`);
      const found = new Map(
        stored.map(({ json }) => JSON.parse(json as string) as Row).map((row) => [row.id, row]),
      );
      for (const [id, row] of found) {
        const wanted = this.get(kind, id);
        if (!wanted) faults.push(`stored, but not accepted: ${kind} ${JSON.stringify(row)}`);
        else if (!isDeepStrictEqual(row, wanted))
          faults.push(`${kind} ${JSON.stringify(row)} is stored, ${JSON.stringify(wanted)} was accepted`);
      }
      for (const [id, row] of this.#rows[kind]) {
        if (!found.has(id)) faults.push(`accepted, but not stored: ${kind} ${JSON.stringify(row)}`);
      }
    }
    return faults;
  }
}

/** Which of the fields that were sent are not in the row as they were sent. */
export function unlike(row: Row, sent: Record<string, unknown>): string[] {
  // -0 is a number of JavaScript, and none of JSON.
  const plain = (value: unknown) => JSON.parse(JSON.stringify(value) ?? "null");
  return Object.keys(sent).filter((field) => !isDeepStrictEqual(plain(row[field]), plain(sent[field])));
}
