import fc from "fast-check";
import type { Standing } from "./client.js";
import { ISOLATIONS, type Statement, type Table, type Verb } from "./writer.js";

/** How often each kind of step comes, beside one another. */
type Weighted = fc.WeightedArbitrary<Step>;

/** One step of a random history. Each makes sense at any time, so that a history shrinks by leaving steps out. */
export type Step =
  | { do: "write"; writer: number; statement: Statement; wait: boolean }
  | { do: "begin"; writer: number; isolation: (typeof ISOLATIONS)[number] }
  | { do: "end"; writer: number; verb: Verb; wait: boolean }
  | { do: "join"; space: number; relay: number }
  | { do: "drop"; client: number }
  | { do: "resume"; client: number; standing: Standing; choice: number; viaHeader: boolean; relay: number }
  | { do: "settle" }
  | { do: "truncate"; table: Table }
  | { do: "prune" }
  | { do: "reset" };

export const WRITERS = 3;
const SPACES = 3;
const small = fc.nat({ max: 7 });
const writer = fc.nat({ max: WRITERS - 1 });
const table = fc.constantFrom<Table[]>("beings", "intentions");
const any = fc.boolean();

const statement: fc.Arbitrary<Statement> = fc.record({
  table: fc.oneof(
    { arbitrary: fc.constant<Table>("intentions"), weight: 2 },
    { arbitrary: table, weight: 1 },
  ),
  verb: fc.constantFrom<Statement["verb"][]>(
    "insert",
    "insert",
    "upsert",
    "update",
    "update",
    "move",
    "delete",
  ),
  first: fc.nat({ max: 9 }),
  // Few, more than a low catch-up limit, and more than a snapshot has messages.
  count: fc.oneof(
    { arbitrary: fc.integer({ min: 1, max: 3 }), weight: 12 },
    { arbitrary: fc.integer({ min: 4, max: 20 }), weight: 4 },
    { arbitrary: fc.integer({ min: 60, max: 130 }), weight: 1 },
  ),
  space: fc.nat({ max: SPACES }),
  value: small,
  atOnce: any,
});

const writes: Weighted[] = [
  { weight: 24, arbitrary: fc.record({ do: fc.constant("write"), writer, statement, wait: any }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("begin"), writer, isolation: fc.constantFrom(...ISOLATIONS) }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("end"),
      writer,
      verb: fc.constantFrom<Verb[]>(
        ...(["commit", "commit", "commit", "rollback", "savepoint", "savepoint", "rollback to"] as const),
        ...(["rollback to", "release", "immediate"] as const),
      ),
      wait: any,
    }),
  },
];

const clients: Weighted[] = [
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("join"), space: fc.nat({ max: SPACES - 1 }), relay: small }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("drop"), client: fc.integer({ min: 2, max: 7 }) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("resume"),
      client: fc.integer({ min: 2, max: 7 }),
      standing: fc.constantFrom<Standing[]>("current", "current", "old", "message", "nothing"),
      choice: fc.nat({ max: 200 }),
      viaHeader: any,
      relay: small,
    }),
  },
  { weight: 3, arbitrary: fc.constant({ do: "settle" }) },
];

const rare: Weighted[] = [
  { weight: 1, arbitrary: fc.record({ do: fc.constant("truncate"), table }) },
  { weight: 1, arbitrary: fc.constant({ do: "prune" }) },
  { weight: 1, arbitrary: fc.constant({ do: "reset" }) },
];

const list = (steps: Weighted[]) =>
  fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 120, size: "max" }) as fc.Arbitrary<Step[]>;

/** Writers, clients and what seldom happens. */
export const history = list([...writes, ...clients, ...rare]);
/** Writers alone, and what does not make old cursors foreign. */
export const writersOnly = list([...writes, { weight: 2, arbitrary: fc.constant({ do: "settle" }) }]);
