import fc from "fast-check";
import { expect, test } from "vitest";
import { appendTo } from "../../src/client/append.js";
import type { Row } from "../../src/client/lists.js";
import type { AppendEvent } from "../../src/protocol/messages.js";
import { Appends } from "../../src/server/feed/appends.js";

const event = (more: Partial<AppendEvent>) =>
  ({
    type: "intention-appended",
    id: "a",
    version: 2,
    path: ["content", 0],
    at: 2,
    text: "cd",
    data: {},
    ...more,
  }) as AppendEvent;
const row = (text: unknown) => ({ id: "a", state: "active", content: [text, "other"] }) as Row;

test("a text goes on, beside what else has changed; the row before is as it was", () => {
  const before = row("ab");
  expect(appendTo(before, event({ data: { state: "complete" } }))).toEqual({
    id: "a",
    state: "complete",
    content: ["abcd", "other"],
  });
  expect(before).toEqual(row("ab"));
});

test("a snapshot that was ahead has some of it already, or more (P7)", () => {
  expect(appendTo(row("abc"), event({}))).toEqual(row("abcd"));
  expect(appendTo(row("abcd"), event({}))).toEqual(row("abcd"));
  expect(appendTo(row("abcdef"), event({}))).toEqual(row("abcd")); // as of this version; the next one brings the rest
});

test.each([
  ["a text that is too short", row("a"), {}],
  ["another text", row("abx"), {}],
  ["no text", row(1), {}],
  ["a path that is not there", row("ab"), { path: ["content", 7] }],
  ["a path into what every object has", row("ab"), { path: ["constructor", "name"] }],
  ["a row that is not here", undefined, {}],
] as [string, Row | undefined, Partial<AppendEvent>][])("%s does not fit", (_, before, more) => {
  expect(appendTo(before, event(more))).toBeNull();
});

test("whatever the relay makes of updates, the client makes the rows of it again", () => {
  const rows = fc.array(fc.array(fc.string({ unit: "grapheme" }), { maxLength: 4 }), {
    minLength: 2,
    maxLength: 8,
  });
  fc.assert(
    fc.property(rows, (list) => {
      const appends = new Appends();
      let mine: Row | null = null;
      let content: string[] = [];
      list.forEach((parts, n) => {
        content = n % 3 === 0 ? parts : [...content.slice(0, -1), (content.at(-1) ?? "") + parts.join("")];
        const now = { id: "a", content };
        const text = JSON.stringify({ type: `task-${n ? "updated" : "created"}`, version: n + 1, data: now });
        const sent = JSON.parse((appends.shorten([text], n, n + 1) ?? [text])[0] as string);
        mine = sent.type === "task-appended" ? appendTo(mine ?? undefined, sent) : sent.data;
        expect(mine).toEqual(now);
      });
    }),
  );
});
