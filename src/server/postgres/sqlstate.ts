/** What a statement's failure is for whoever asked for it. */
export type Verdict =
  | "invalid"
  | "conflict"
  | "not_found"
  | "forbidden"
  | "too_large"
  | "rate_limited"
  | "unavailable"
  | "internal";

// Every class of Postgres' errcodes.txt is here, and a test holds it. The first row that fits counts. What can pass by
// itself or by an operator's hand is `unavailable`: whoever sent a change keeps it, and sends it again.
const VERDICTS: readonly (readonly [RegExp, Verdict])[] = [
  // 2200H: a sequence is at its end. 25: read-only, or a session that was ended for its idleness. 40: only 40002 is no
  // matter of when. HV: a foreign server is away, or out of memory or handles.
  [/^(08|2200H|25006|25P0[34]|28|3D|40(?!002)|53|55|57|58|72|F0|HV00N|HV001|HV014)/, "unavailable"],
  // The value is the caller's to mend. 44: a view with check option. 54001: it is nested too deep.
  [/^(22|23502|23514|44|54001)/, "invalid"],
  [/^(23|40|P0001)/, "conflict"],
  [/^P0002/, "not_found"],
  [/^(SF403|42501)/, "forbidden"],
  [/^54000/, "too_large"],
  [/^SF429/, "rate_limited"],
  // A fault of a statement or of a function, ours or the DBA's.
  [/^(0[0-39ABFLPZ]|10|2[014-7BDF]|3[489BF]|42|54|HV|P0|XX)/, "internal"],
  // No class of Postgres: a trigger of the DBA refuses with a state of its own.
  [/./, "conflict"],
];

/** The verdict on a SQLSTATE. */
export function verdictOn(state: string): Verdict {
  return VERDICTS.find(([states]) => states.test(state))?.[1] ?? "internal";
}
