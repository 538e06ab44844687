import fc from "fast-check";

/** What means something to SQL, to SSE, to HTTP, to JSON, to JavaScript, or to a terminal. */
const META = [
  "'; drop table public.beings; --",
  "$1 $2 %s %I {} #{x} <%= x %> \\",
  "\n\nid: forged.9\ndata: {}\n\n",
  "\r\rdata: forged\r\n\r\nevent: heartbeat\r\n",
  "id:",
  "data:",
  "retry: 0",
  ":comment",
  "\u2028\u2029\u0085\v\f",
  "\ufeff",
  "\u0001\u001b[31m\u007f",
  "<script>alert(1)</script>",
  '"}],"x":[{"',
  "%00%0a%ff%zz",
  "👩‍👩‍👧",
  "‮ الع \u202e",
  "\u0301\u0301\u0301",
  "😀",
];

/** IDs that are something else in JavaScript, in a path, or in SQL. */
export const ODD_IDS = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "..",
  ".",
  "../../etc/passwd",
  "null",
  "undefined",
  "NaN",
  "true",
  "0",
  "-1",
  "1e3",
  "msg_1",
  "0123456789abcdef.5",
  " ",
  "%",
  "*",
  "'",
  '"',
  "\\",
  "😀",
  "שלום",
  "\u202e",
  "\ufeff",
  "{}",
  "[]",
  "a b",
  "a/b?c=d&e#f",
  "<b>",
];

/** Any UTF-16, half surrogates and NUL too: mostly nothing that can be stored. */
const anyText = fc.oneof(
  fc.constantFrom("\0", "\ud83d", "\ude00 x", "a\ud83d"),
  fc.string({
    unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
    maxLength: 12,
  }),
);

/** A text that means harm, most often one that can be stored. */
export const text = fc.oneof(
  { weight: 20, arbitrary: fc.string({ unit: "grapheme", maxLength: 20 }) },
  {
    weight: 20,
    arbitrary: fc
      .array(fc.oneof(fc.constantFrom(...META), fc.string({ maxLength: 4 })), { maxLength: 4 })
      .map((parts) => parts.join("")),
  },
  { weight: 1, arbitrary: anyText },
  { weight: 10, arbitrary: fc.constantFrom(...ODD_IDS) },
);

const number = fc.oneof(
  { weight: 6, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map(String) },
  { weight: 6, arbitrary: fc.integer().map(String) },
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      "-0",
      "1e308",
      "5e-324",
      "9007199254740993",
      "123456789012345678901234567890",
      "0.1e-10",
      "1E2",
    ),
  },
  // What no double holds: for the API a fault, for SQL a number.
  { weight: 1, arbitrary: fc.constantFrom("1e400", "-1e999") },
);

const deep = fc
  .tuple(fc.constantFrom(2, 60, 62, 63, 64, 65, 1_000), fc.boolean())
  .map(([depth, isArray]) =>
    isArray ? "[".repeat(depth) + "]".repeat(depth) : `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`,
  );

/** The text of a JSON value: a number may be one that no double holds, a key may come twice. */
export const jsonText: fc.Arbitrary<string> = fc.letrec<{ value: string; leaf: string }>((tie) => ({
  leaf: fc.oneof(
    { weight: 3, arbitrary: text.map((value) => JSON.stringify(value)) },
    { weight: 2, arbitrary: number },
    { weight: 1, arbitrary: fc.constantFrom("null", "true", "false", '"\\u2028"', '"\\/"') },
  ),
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 24, arbitrary: tie("leaf") },
    { weight: 8, arbitrary: fc.array(tie("value"), { maxLength: 4 }).map((items) => `[${items}]`) },
    { weight: 8, arbitrary: fc.array(fc.tuple(text, tie("value")), { maxLength: 4 }).map(objectText) },
    { weight: 1, arbitrary: deep },
  ),
})).value;

export const jsonObjectText = fc.array(fc.tuple(text, jsonText), { maxLength: 4 }).map(objectText);
export const jsonArrayText = fc.array(jsonText, { maxLength: 4 }).map((items) => `[${items}]`);

/** The text of an object, in which a field may come twice. */
export function objectText(fields: readonly (readonly [name: string, value: string])[]): string {
  return `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`;
}

/** What may stand in a header, as bytes: no control character but the tab. */
export const headerText = fc.oneof(
  fc.constantFrom("", "*", "null", "0123456789abcdef.1", "9".repeat(30), "\xff\xfe", 'W/"x", "', ",,,"),
  fc.string({
    unit: fc
      .oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0xa0, max: 0xff }))
      .map((unit) => String.fromCharCode(unit)),
    maxLength: 40,
  }),
);
