/** Digits of a number in what a client sends: Postgres writes 1e-16000 out, which makes much of little. */
export const MAX_DIGITS = 1_000;

const MAYBE_LONG = /e[+-]?\d{3}|[\d.]{900}/i;
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.e+-]*|[{}[\],:]/gi;

/** The path of the first number of a JSON text that has too many digits; null where there is none. */
export function longNumber(json: string): string | null {
  if (!MAYBE_LONG.test(json)) return null;
  /** The keys and indices that lead to the next value. */
  const path: (string | number)[] = [];
  let isKey = false;
  for (const [token] of json.matchAll(TOKENS)) {
    const at = path.at(-1);
    if (token === "{" || token === "[") path.push(token === "{" ? "" : 0);
    else if (token === "}" || token === "]") path.pop();
    else if (token === "," && typeof at === "number") path[path.length - 1] = at + 1;
    else if (token.startsWith('"') && isKey) path[path.length - 1] = JSON.parse(token);
    else if (/^[-\d]/.test(token) && digits(token) > MAX_DIGITS) return path.join(".") || "the body";
    isKey = token === "{" || (token === "," && typeof at === "string");
  }
  return null;
}

function digits(number: string): number {
  const [mantissa = "", exponent = "0"] = number.toLowerCase().split("e");
  return mantissa.length + Math.abs(Number(exponent));
}
