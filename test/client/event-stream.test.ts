import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readEvents } from "../../src/client/event-stream.js";

type Seen = [event: string, data: string][];

function read(texts: readonly string[]): Seen {
  const seen: Seen = [];
  const feed = readEvents((event, data) => seen.push([event, data]));
  for (const text of texts) feed(text);
  return seen;
}

test("events are read as a library reads them, wherever the texts are cut and however lines end", () => {
  const end = fc.constantFrom("\n", "\r\n", "\r");
  const value = fc.constantFrom("", " ", "{}", " {}", "a: b", "ü€𝄞", ":", "heartbeat");
  const field = fc.constantFrom("data:", "data: ", "event:", "event: ", "id: ", "retry: ", ": ", "data", "x");
  const line = fc.tuple(field, value, end).map((parts) => parts.join(""));
  const block = fc.tuple(fc.array(line, { maxLength: 4 }), end).map(([lines, end]) => lines.join("") + end);
  const cuts = fc.array(fc.nat(200), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(block, { maxLength: 8 }), cuts, (blocks, cuts) => {
      const whole = `${blocks.join("")}:\n`;
      const at = [0, ...cuts.map((cut) => cut % whole.length).sort((a, b) => a - b), whole.length];
      const texts = at.slice(1).map((to, n) => whole.slice(at[n], to));
      const wanted: Seen = [];
      const library = createParser({ onEvent: ({ event, data }) => wanted.push([event || "message", data]) });
      library.feed(whole);
      expect(read(texts)).toEqual(wanted);
    }),
    { numRuns: 2_000 },
  );
});

test("an event is told as soon as its last line has ended, also by a CR that an LF may follow", () => {
  expect(read(["data: 1\r\r"])).toEqual([["message", "1"]]);
  expect(read(["data: 1\r", "\n\r", "\ndata: 2\n", "\n"])).toEqual([
    ["message", "1"],
    ["message", "2"],
  ]);
});
