import { expect, test } from "vitest";
import {
  apply,
  awaitOlder,
  forgetOlder,
  type Group,
  prepend,
  type Replica,
  replace,
} from "../../src/client/replica.js";
import {
  created,
  deleted,
  groupOf,
  instant,
  messageOf,
  messagesOf,
  stateOf,
  updated,
} from "../support/postgres/rows.js";

const ids = (replica: Replica) => replica.lists.intention.map((intention) => intention.id);
const LATER = instant(1_000_000);
/** Holds 10 to 12 of the messages from 1 on, and has asked for the page before. */
const waiting = awaitOlder(replace(null, stateOf(5, { intentions: messagesOf(10, 12), hasMore: true })));
const after = (replica: Replica, ...groups: Group[]) =>
  groups.reduce((state, group) => apply(state, group, LATER), replica);
const page = (replica: Replica, messages = messagesOf(7, 9), hasMore = true) =>
  prepend(replica, { page: messages, hasMore, window: replica.window });

test("a page comes before the others, and the window begins with it", () => {
  const next = page(waiting);
  expect(ids(next)).toEqual(["m7", "m8", "m9", "m10", "m11", "m12"]);
  expect(next).toMatchObject({ hasMore: true, oldest: { messageId: "msg_7" }, version: 5, unseen: null });
  expect(next.lists.intention[3]).toBe(waiting.lists.intention[0]);
});

test("the last page ends the window: nothing is left out any more", () => {
  const next = page(waiting, messagesOf(1, 9), false);
  expect(next.hasMore).toBe(false);
  const first = messageOf(30, { createdAt: instant(-9) });
  expect(ids(after(next, groupOf(5, 6, created(first))))[0]).toBe("m30");
});

test("an empty page says that there was nothing left", () => {
  expect(page(waiting, [], false)).toMatchObject({
    lists: { intention: messagesOf(10, 12) },
    hasMore: false,
  });
});

test("a page that was asked of another window is dropped", () => {
  const replaced = replace(waiting, stateOf(9, { intentions: messagesOf(20, 22), hasMore: true }));
  expect(prepend(replaced, { page: messagesOf(7, 9), hasMore: false, window: waiting.window })).toBe(
    replaced,
  );
});

test("what was changed while the page was on its way is as changed, not as the page says", () => {
  const eight = messageOf(8, { content: ["new"] });
  const next = page(after(waiting, groupOf(5, 6, updated(eight)), groupOf(6, 7, deleted(messageOf(9)))));
  expect(next.lists.intention).toEqual([messageOf(7), eight, ...messagesOf(10, 12)]);
});

test("what was changed twice meanwhile is as changed last", () => {
  const again = messageOf(8, { content: ["again"] });
  const meanwhile = [
    groupOf(5, 6, updated(messageOf(8, { content: ["new"] }))),
    groupOf(6, 7, updated(again)),
    groupOf(7, 8, updated(messageOf(7)), deleted(messageOf(9))),
    groupOf(8, 9, created(messageOf(9, { id: "m9", content: ["back"] }))),
  ];
  const next = page(after(waiting, ...meanwhile));
  expect(next.lists.intention).toEqual([
    messageOf(7),
    again,
    messageOf(9, { content: ["back"] }),
    ...messagesOf(10, 12),
  ]);
});

test("a message that came meanwhile between the page's is there, and one before them is not", () => {
  const between = messageOf(30, { createdAt: instant(8.5) });
  const before = messageOf(31, { createdAt: instant(2) });
  const next = page(after(waiting, groupOf(5, 6, created(between), created(before))));
  expect(ids(next)).toEqual(["m7", "m8", "m30", "m9", "m10", "m11", "m12"]);
});

test("a message that moved before the page meanwhile is not in it", () => {
  const next = page(after(waiting, groupOf(5, 6, updated(messageOf(8, { createdAt: instant(2) })))));
  expect(ids(next)).toEqual(["m7", "m9", "m10", "m11", "m12"]);
});

test("a message that moved out of the window into the page's time meanwhile is there once", () => {
  const moved = messageOf(11, { createdAt: instant(8.5) });
  const next = page(after(waiting, groupOf(5, 6, updated(moved))));
  expect(ids(next)).toEqual(["m7", "m8", "m11", "m9", "m10", "m12"]);
});

test("a message of the page that is here already is as it is here: that is newer", () => {
  // The page was asked for without an end, since the whole window had been deleted.
  const emptied = awaitOlder(
    after({ ...waiting, unseen: null }, groupOf(5, 6, ...messagesOf(10, 12).map(deleted))),
  );
  const now = messageOf(13, { content: ["now"] });
  const next = page(after(emptied, groupOf(6, 7, created(now))), [messageOf(9), messageOf(13)]);
  expect(next.lists.intention).toEqual([messageOf(9), now]);
});

test("a page that reaches into the window changes nothing there: that is for the events to say", () => {
  const next = page(waiting, [messageOf(9), messageOf(10, { name: "later than we are" })]);
  expect(next.lists.intention).toEqual([messageOf(9), ...messagesOf(10, 12)]);
  expect(next.lists.intention[1]).toBe(waiting.lists.intention[0]);
});

test("the same page twice is as the same page once", () => {
  const first = page(waiting);
  expect(page(awaitOlder(first)).lists.intention).toEqual(first.lists.intention);
});

test("asking again while a page is on its way forgets nothing of what was noted", () => {
  const noted = after(waiting, groupOf(5, 6, deleted(messageOf(8))));
  expect(ids(page(awaitOlder(noted)))).toEqual(["m7", "m9", "m10", "m11", "m12"]);
});

test("when no page comes, nothing is noted any more", () => {
  expect(forgetOlder(after(waiting, groupOf(5, 6, deleted(messageOf(8))))).unseen).toBeNull();
  expect(after(forgetOlder(waiting), groupOf(5, 6, deleted(messageOf(8)))).unseen).toBeNull();
});

test("P3: a page that reaches into the window never makes it begin later", () => {
  // A writer gave the oldest message a later time, and the page is of those before it there.
  const moved = messageOf(10, { createdAt: instant(20) });
  const next = page(waiting, [messageOf(12)]);
  const then = after(next, groupOf(5, 6, updated(moved), updated(messageOf(11, { name: "changed" }))));
  expect(ids(then)).toEqual(["m11", "m12", "m10"]);
});
