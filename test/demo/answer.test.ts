import { expect, test } from "vitest";
import type { Being, Intention, SpaceSnapshot } from "../../src/client/index.js";
import { answer } from "../../src/demo/answer.js";
import { updatesOf } from "../../src/demo/growth.js";

const AT = "2026-11-21T12:00:00.000000Z";
const NOW = Date.parse(AT) + 12;

const being = (id: string, type: Being["type"], name: string): Being => ({
  ...{ id, name, type, ownerId: null, locationId: "lobby", metadata: {}, properties: {}, content: [] },
  ...{ createdAt: AT, modifiedAt: AT },
});
const said = (number: number, text: string, ownerId: string | null = "ada"): Intention => ({
  ...{ id: `m${number}`, messageId: `msg_${number}`, name: "", type: "utterance", state: "complete" },
  ...{ ownerId, locationId: "lobby", content: [text], createdAt: AT, modifiedAt: AT },
});
const beings = [
  being("lobby", "space", "The lobby"),
  being("ada", "guest", "Ada"),
  being("bob", "guest", "Bob"),
  being("pip-lobby", "bot", "Pip"),
];

/** What the bot says to the last of these messages. */
function answerTo(
  messages: Intention[],
  question: { turn?: number; fresh?: number; hasMore?: boolean } = {},
) {
  const { turn = 0, fresh = 1, hasMore = false } = question;
  const data = { version: 87, beings, intentions: messages, timestamp: AT };
  const snapshot = { data, beings, onlineBeings: beings, utterances: messages, hasMore };
  return answer({
    messages: messages.slice(-fresh),
    snapshot: snapshot as unknown as SpaceSnapshot,
    turn,
    now: NOW,
  });
}

test("an answer names who asks, the message ID and the version that Postgres gave out", () => {
  expect(answerTo([said(42, "Good morning")])).toMatch(/^Ada, your message is msg_42, .* version 87\./);
});

test("the answers differ from one to the next, and each is about this message or this space", () => {
  const all = [0, 1, 2, 3, 4].map((turn) => answerTo([said(42, "Good old morning")], { turn }));
  expect(new Set(all).size).toBe(5);
  expect(answerTo([said(42, "Good morning")], { turn: 5 })).toBe(answerTo([said(42, "Good morning")]));
  expect(all[1]).toMatch(/msg_42 .* 12 ms/);
  expect(all[3]).toMatch(/3 words.*“morning”/);
});

test("what an answer says of its own growth is so", () => {
  const text = answerTo([said(42, "I see.")], { turn: 2 });
  const updates = updatesOf(text);
  expect(text).toContain(`${updates} times`);
  // The row's creation is a version, too.
  expect(text).toContain(`from version 87 to about ${87 + updates + 1}`);
});

test.each(["help", "HELP", " help? ", "/help"])("“%s” lists the commands", (text) => {
  for (const command of ["count", "who", "time", "long"])
    expect(answerTo([said(1, text)])).toContain(command);
});

test.each([
  ["Who else is here?", /^2 guests/],
  ["Is anybody here?", /^2 guests/],
  ["How many messages are there?", /^I have 1 message /],
  ["How fast is this?", /^Postgres wrote msg_1 /],
  ["What can you do?", /^Say anything/],
  ["How does it all work?", /^A long answer/],
])("a short question is understood: %s", (text, expected) => {
  expect(answerTo([said(1, text)])).toMatch(expected);
});

test.each(["Who", "I know who did it", "How long is the Great Wall?", `${"so ".repeat(9)} who?`])(
  "what is no short question is just talk, unless it is a command: %s",
  (text) => {
    expect(answerTo([said(1, text)])).toMatch(text === "Who" ? /^2 guests/ : /your message is msg_1/);
  },
);

test("“count” counts messages and words", () => {
  const text = answerTo([said(1, "one two three"), said(2, "count")]);
  expect(text).toMatch(/2 messages.* 4 words .*version 87/);
  expect(answerTo([said(1, "count")])).toMatch(/1 message of.* 1 word /);
  expect(answerTo([said(1, "count")], { hasMore: true })).toMatch(/the newest 1 message/);
});

test("“who” names the guests, and the visitor as you", () => {
  expect(answerTo([said(1, "who")])).toMatch(/^2 guests and 1 bot .*: you \(Ada\), Bob, and me/);
});

test("“time” tells the database's clock, and what the message took to the bot", () => {
  expect(answerTo([said(7, "time")])).toMatch(/msg_7 at 12:00:00\.000 UTC.* 12 ms later/);
});

test("“long” is long enough to watch it grow for more than ten seconds", () => {
  expect(updatesOf(answerTo([said(1, "long")]))).toBeGreaterThan(10 * 20);
});

test("a row that somebody has written with SQL is answered as what it is", () => {
  expect(answerTo([said(9, "Hello from psql", null)])).toMatch(/SQL.*no owner.*msg_9, at version 87/);
});

test("many messages at once have one answer", () => {
  const many = Array.from({ length: 500 }, (_, n) => said(n + 1, "bulk", null));
  expect(answerTo(many, { fresh: 500 })).toMatch(/^500 messages .* msg_1 to msg_500/);
  expect(answerTo(many, { fresh: 500, hasMore: true })).toMatch(/^More than 500 messages/);
});

test("of what others wrote a little is repeated, and content that is no text does no harm", () => {
  const huge = "x".repeat(10_000);
  for (const turn of [0, 1, 2, 3, 4]) {
    expect(answerTo([said(1, huge)], { turn }).length).toBeLessThan(500);
    const odd = { ...said(2, ""), content: [{ a: [1] }, null, 7] };
    expect(answerTo([odd], { turn })).not.toMatch(/undefined|null|\[object/);
  }
  expect(answerTo([said(1, "constructor")])).toMatch(/msg_1/);
});
