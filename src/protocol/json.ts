/** How deep arrays and objects may be nested in what a client sends. */
const MAX_DEPTH = 64;

/**
 * Why a parsed JSON value cannot be stored, or null when it can. Postgres has no NUL in its text, UTF-8 has
 * no lone surrogates, and recursion has an end. Iterative, so that depth cannot exhaust the stack here.
 */
export function unstorable(value: unknown): string | null {
  const rest: { value: unknown; depth: number }[] = [{ value, depth: 0 }];
  for (let next = rest.pop(); next; next = rest.pop()) {
    const { value, depth } = next;
    if (typeof value === "string") {
      const fault = unstorableText(value);
      if (fault) return fault;
    } else if (typeof value === "number") {
      if (!Number.isFinite(value)) return "has a number that is too large";
    } else if (typeof value === "object" && value !== null) {
      if (depth === MAX_DEPTH) return `is nested more than ${MAX_DEPTH} deep`;
      for (const [key, item] of Object.entries(value)) {
        const fault = unstorableText(key);
        if (fault) return fault;
        rest.push({ value: item, depth: depth + 1 });
      }
    }
  }
  return null;
}

/** Why a text cannot be stored, or null when it can. */
export function unstorableText(text: string): string | null {
  if (text.includes("\0")) return "has a NUL character, which Postgres cannot store";
  if (/\p{Surrogate}/u.test(text)) return "has half of a surrogate pair, which is no character";
  return null;
}
