import { expect, test } from "vitest";
import { rowsOf } from "../../src/client/lists.js";
import {
  apply,
  type Group,
  isKnown,
  judge,
  type Replica,
  replace,
  stateFrom,
  within,
} from "../../src/client/replica.js";
import {
  beingOf,
  changed,
  created,
  deleted,
  groupOf,
  instant,
  joined,
  left,
  messageOf,
  messagesOf,
  spaceSyncOf,
  stateOf,
  tracked,
  updated,
} from "../support/postgres/rows.js";

const LATER = instant(1_000_000);
const ids = (replica: Replica) => replica.lists.intention.map((intention) => intention.id);
const beingIds = (replica: Replica) => replica.lists.being.map((being) => being.id);
const at5 = replace(
  null,
  stateOf(5, { beings: [beingOf("a"), beingOf("b")], intentions: messagesOf(1, 3), hasMore: false }),
);
/** Holds the messages from 10 on; there are older ones. */
const cut = replace(null, stateOf(5, { intentions: messagesOf(10, 12), hasMore: true }));
const one = [created(messageOf(4))];

test.for([
  ["builds on our version", at5, groupOf(5, 6, ...one), "apply"],
  ["builds on our version, over many", at5, groupOf(5, 900, ...one), "apply"],
  ["ends at our version", at5, groupOf(4, 5, ...one), "known"],
  ["ends before our version", at5, groupOf(2, 3, ...one), "known"],
  ["builds on a later version", at5, groupOf(6, 7, ...one), "gap"],
  ["has no cursor: its end is missing", at5, [one[0]?.(6)], "gap"],
  ["is empty", at5, [], "gap"],
  ["is of another epoch, and would fit", at5, [{ ...one[0]?.(6), prev: 5, cursor: "f.6" }], "gap"],
  ["is of another epoch, and older", at5, [{ ...one[0]?.(3), prev: 2, cursor: "f.3" }], "gap"],
  ["has no prev", at5, [{ ...one[0]?.(6), cursor: "e.6" }], "gap"],
  ["comes before any state", null, groupOf(0, 1, ...one), "gap"],
  ["is a state, and the first", null, [spaceSyncOf(0)], "apply"],
  ["is a newer state", at5, [spaceSyncOf(9)], "apply"],
  ["is a state that we have", at5, [spaceSyncOf(5)], "known"],
  ["is an older state", at5, [spaceSyncOf(4)], "known"],
  ["is a state of another epoch, at a lower version", at5, [spaceSyncOf(1, { cursor: "f.1" })], "apply"],
  ["is a state of another epoch, at our version", at5, [spaceSyncOf(5, { cursor: "f.5" })], "apply"],
] as const)("P2, P3: a group that %s", ([, replica, group, verdict]) => {
  expect(judge(replica, group as Parameters<typeof judge>[1])).toBe(verdict);
});

test("P3: a group that begins before our version and ends after it never leaves us behind", () => {
  // Full rows: applying it would do as well. What must not happen is that it is taken for known.
  expect(judge(at5, groupOf(3, 7, created(messageOf(4))))).not.toBe("known");
});

test("P11: versions of two epochs do not compare, whichever is higher", () => {
  expect(isKnown(at5, { version: 1, cursor: "f.1" })).toBe(false);
  expect(isKnown(at5, { version: 99, cursor: "f.99" })).toBe(false);
  // An epoch that begins like another is another.
  expect(isKnown(at5, { version: 1, cursor: "ee.1" })).toBe(false);
  expect(isKnown(at5, { version: 1, cursor: "e.1" })).toBe(true);
  expect(isKnown(null, { version: 0, cursor: "e.0" })).toBe(false);
});

test("each kind of event does what its name says", () => {
  const b2 = beingOf("b", { name: "Bea" });
  const m2 = messageOf(2, { content: ["two"] });
  const next = apply(
    at5,
    groupOf(
      5,
      6,
      joined(beingOf("c")),
      changed(b2),
      left(beingOf("a")),
      created(messageOf(4)),
      updated(m2),
      deleted(messageOf(1)),
    ),
    LATER,
  );
  expect(next.lists.being).toEqual([b2, beingOf("c")]);
  expect(next.lists.intention).toEqual([m2, messageOf(3), messageOf(4)]);
});

test("P5: a group moves the version, the cursor and the time once, to its end", () => {
  const next = apply(at5, groupOf(5, 8, created(messageOf(4)), left(beingOf("a"))), LATER);
  expect(next).toMatchObject({ version: 8, cursor: "e.8", timestamp: LATER });
  expect(at5).toMatchObject({ version: 5, cursor: "e.5" });
});

test("an entity that is changed twice in a group ends as its last event says", () => {
  const again = messageOf(4, { content: ["again"] });
  expect(
    apply(at5, groupOf(5, 6, created(messageOf(4)), updated(again)), LATER).lists.intention.at(-1),
  ).toEqual(again);
  expect(ids(apply(at5, groupOf(5, 6, created(messageOf(4)), deleted(messageOf(4))), LATER))).toEqual([
    "m1",
    "m2",
    "m3",
  ]);
  expect(ids(apply(at5, groupOf(5, 6, deleted(messageOf(1)), created(messageOf(1))), LATER))).toEqual([
    "m1",
    "m2",
    "m3",
  ]);
});

test("what is updated and not known comes in, and what is deleted and not known does not matter", () => {
  const next = apply(
    at5,
    groupOf(5, 6, updated(messageOf(4)), changed(beingOf("z")), deleted(messageOf(99)), left(beingOf("y"))),
    LATER,
  );
  expect([ids(next), beingIds(next)]).toEqual([
    ["m1", "m2", "m3", "m4"],
    ["a", "b", "z"],
  ]);
});

test("a space-sync at the end of a group replaces all", () => {
  const next = apply(at5, [spaceSyncOf(9, { intentions: messagesOf(7, 8), hasMore: true })], LATER);
  expect(next).toEqual({ ...replace(at5, stateOf(9, { intentions: messagesOf(7, 8), hasMore: true })) });
  expect(next).toMatchObject({ version: 9, lists: { being: [] }, hasMore: true });
});

test("messages are sorted by their time, and those of one instant by the numbers of their IDs", () => {
  const sameTime = { createdAt: instant(50) };
  const unsorted = [
    messageOf(10, sameTime),
    messageOf(100, sameTime),
    messageOf(9, sameTime),
    messageOf(200, { createdAt: instant(4) }),
  ];
  const next = apply(at5, groupOf(5, 6, ...unsorted.map(created)), LATER);
  expect(ids(next)).toEqual(["m1", "m2", "m3", "m200", "m9", "m10", "m100"]);
  const micro = [
    messageOf(7, { createdAt: "2026-02-01T00:00:00.000002Z" }),
    messageOf(8, { createdAt: "2026-02-01T00:00:00.000001Z" }),
  ];
  expect(ids(apply(at5, groupOf(5, 6, ...micro.map(created)), LATER)).slice(-2)).toEqual(["m8", "m7"]);
});

test("a message whose time is changed moves to its new place", () => {
  const late = messageOf(1, { createdAt: instant(9) });
  expect(ids(apply(at5, groupOf(5, 6, updated(late)), LATER))).toEqual(["m2", "m3", "m1"]);
});

test("beings are sorted by their time, and those of one instant by their IDs", () => {
  const early = beingOf("z", { createdAt: instant(-1) });
  const next = apply(at5, groupOf(5, 6, joined(beingOf("aa")), joined(early), joined(beingOf("B"))), LATER);
  expect(beingIds(next)).toEqual(["z", "B", "a", "aa", "b"]);
});

test("what happens before the window is left out: it is a page's to bring", () => {
  const old = messageOf(3, { content: ["changed"] });
  const next = apply(cut, groupOf(5, 6, updated(old), created(messageOf(4)), created(messageOf(13))), LATER);
  expect(ids(next)).toEqual(["m10", "m11", "m12", "m13"]);
});

test("without older messages there is no window: a message may be older than all others", () => {
  const first = messageOf(4, { createdAt: instant(-5) });
  expect(ids(apply(at5, groupOf(5, 6, created(first)), LATER))).toEqual(["m4", "m1", "m2", "m3"]);
});

test("a message that moves before the window by its time leaves, and one that moves into it comes", () => {
  const away = apply(cut, groupOf(5, 6, updated(messageOf(11, { createdAt: instant(2) }))), LATER);
  expect(ids(away)).toEqual(["m10", "m12"]);
  const back = apply(
    away,
    groupOf(6, 7, updated(messageOf(11)), updated(messageOf(3, { createdAt: instant(11) }))),
    LATER,
  );
  expect(ids(back)).toEqual(["m10", "m3", "m11", "m12"]);
});

test("the window stays where it is when its oldest message goes", () => {
  const without = apply(cut, groupOf(5, 6, deleted(messageOf(10))), LATER);
  // Its place is still inside, whatever is before it is still outside.
  const next = apply(
    without,
    groupOf(6, 7, created(messageOf(9)), created(messageOf(20, { createdAt: instant(10) }))),
    LATER,
  );
  expect(ids(next)).toEqual(["m20", "m11", "m12"]);
  expect(next).toMatchObject({ hasMore: true, oldest: { messageId: "msg_10" } });
});

test("the window stays when all of its messages go, and a new one comes into it", () => {
  const empty = apply(cut, groupOf(5, 6, ...messagesOf(10, 12).map(deleted)), LATER);
  expect(empty).toMatchObject({ lists: { intention: [] }, hasMore: true });
  expect(ids(apply(empty, groupOf(6, 7, created(messageOf(13)), updated(messageOf(8))), LATER))).toEqual([
    "m13",
  ]);
});

test("an empty space has no window: the first message comes in", () => {
  const empty = replace(null, stateOf(1));
  expect(empty.oldest).toBeNull();
  expect(ids(apply(empty, groupOf(1, 2, created(messageOf(1))), LATER))).toEqual(["m1"]);
});

test("what a group does not touch is the same object: entities, lists, windows", () => {
  const next = apply(at5, groupOf(5, 6, updated(messageOf(2, { name: "new" }))), LATER);
  expect(next.lists.being).toBe(at5.lists.being);
  expect(next.lists.intention[0]).toBe(at5.lists.intention[0]);
  expect(next.lists.intention[2]).toBe(at5.lists.intention[2]);
  expect(next.lists.intention).not.toBe(at5.lists.intention);
  const other = apply(at5, groupOf(5, 6, left(beingOf("a"))), LATER);
  expect(other.lists.intention).toBe(at5.lists.intention);
  expect(other.lists.being[0]).toBe(at5.lists.being[1]);
  expect([next.window, other.window]).toEqual([at5.window, at5.window]);
});

test("a whole new state keeps the objects of what did not change, and of lists that did not", () => {
  const state = stateOf(9, {
    beings: [beingOf("a"), beingOf("b")],
    intentions: [...messagesOf(1, 2), messageOf(3, { name: "new" })],
  });
  const next = replace(at5, JSON.parse(JSON.stringify(state)));
  expect(next.lists.being).toBe(at5.lists.being);
  expect(next.lists.intention[0]).toBe(at5.lists.intention[0]);
  expect(next.lists.intention[2]).toEqual(messageOf(3, { name: "new" }));
  expect(next.window).not.toBe(at5.window);
});

test("a state without one of the lists has none of it", () => {
  const { beings: _, ...withoutBeings } = stateOf(6, { intentions: messagesOf(1, 1) });
  expect(replace(null, withoutBeings)).toMatchObject({ lists: { being: [], intention: [{ id: "m1" }] } });
});

test("nothing changes what it is given", () => {
  const frozen = JSON.stringify(at5);
  const group = groupOf(5, 6, joined(beingOf("0")), updated(messageOf(2)), deleted(messageOf(1)));
  const said = JSON.stringify(group);
  apply(at5, group, LATER);
  replace(at5, stateOf(9));
  stateFrom(at5, 1).intentions?.reverse();
  expect([JSON.stringify(at5), JSON.stringify(group)]).toEqual([frozen, said]);
});

test("what is kept of a replica is its newest messages, and says that there are more", () => {
  expect(stateFrom(at5, 2)).toEqual(
    stateOf(5, { beings: [beingOf("a"), beingOf("b")], intentions: messagesOf(2, 3), hasMore: true }),
  );
  expect(stateFrom(at5, 3)).toMatchObject({ intentions: messagesOf(1, 3), hasMore: false });
  expect(stateFrom(cut, 3)).toMatchObject({ intentions: messagesOf(10, 12), hasMore: true });
});

test("a state has nothing before the window, which stays where it was", () => {
  const state = stateOf(9, { intentions: messagesOf(7, 14), hasMore: true });
  expect(within(cut, state)).toEqual({ ...state, intentions: messagesOf(10, 14) });
  const whole = stateOf(9, { intentions: messagesOf(7, 14) });
  expect(within(cut, whole)).toEqual({ ...whole, intentions: messagesOf(10, 14), hasMore: true });
});

test("a state is taken as it is where there is no window, where it begins later, or where all of it is before", () => {
  const all = stateOf(9, { intentions: messagesOf(1, 14) });
  const later = stateOf(9, { intentions: messagesOf(11, 14), hasMore: true });
  const before = stateOf(9, { intentions: messagesOf(1, 9) });
  expect([within(null, all), within(at5, all), within(cut, later), within(cut, before)]).toEqual([
    all,
    all,
    later,
    before,
  ]);
  expect(within(cut, stateOf(9))).toEqual(stateOf(9));
});

const task = (id: string, more: object = {}) => ({ id, title: id, ...more });
const tracking = replace(null, stateOf(5, { entities: { task: [task("b"), task("a")] } }));

test("rows of tracked tables are lists of their own, sorted by ID, and go as their events say", () => {
  expect(tracking.lists).toEqual({ being: [], intention: [], task: [task("a"), task("b")] });
  const group = groupOf(
    5,
    6,
    tracked("task-updated", task("b", { done: true })),
    tracked("task-deleted", task("a")),
    tracked("task-created", task("0")),
    tracked("constructor-created", { id: "1" }),
    created(messageOf(1)),
  );
  expect(apply(tracking, group, LATER).lists).toEqual({
    being: [],
    intention: [messageOf(1)],
    task: [task("0"), task("b", { done: true })],
    constructor: [{ id: "1" }],
  });
  expect(rowsOf(tracking.lists, "constructor")).toEqual([]);
  expect(replace(tracking, stateOf(6)).lists).toEqual({ being: [], intention: [] });
});

test.for([
  { type: "task-archived", id: "a" },
  { type: "presence", who: "a" },
  { type: "task-created", id: "c" },
  { type: "task-created", id: "c", data: null },
  { type: "task-created", data: { id: 3 } },
  { type: "task-deleted" },
  { type: 7 },
  {},
])("P3: an event that is not understood is left out, and the cursor still moves: %j", (event) => {
  for (const at of [0, 1]) {
    const known = { ...tracked("task-updated", task("a", { done: true }))(6) };
    const events = at === 0 ? [event, known] : [known, event];
    const group = [events[0], { ...events[1], version: 6, prev: 5, cursor: "e.6" }] as unknown as Group;
    expect(judge(tracking, group)).toBe("apply");
    expect(apply(tracking, group, LATER)).toMatchObject({
      version: 6,
      cursor: "e.6",
      lists: { task: [task("a", { done: true }), task("b")] },
    });
  }
});

test("a state, and what is kept of a replica, has the rows of tracked tables; what did not change stays the same object", () => {
  expect(stateFrom(tracking).entities).toEqual({ task: [task("a"), task("b")] });
  const next = replace(tracking, stateOf(7, { entities: { task: [task("a"), task("c")] } }));
  expect(next.lists.task?.[0]).toBe(tracking.lists.task?.[0]);
  expect(replace(tracking, { ...stateFrom(tracking), version: 8 }).lists.task).toBe(tracking.lists.task);
});

test("messages of one instant are sorted by the length of their names, then by the names, whatever these are", () => {
  const named = ["b", "a", "aa", "10", "9", "msg_2", "msg_10", "𝄞", "ünï"];
  const intentions = named.map((messageId) => messageOf(1, { id: messageId, messageId }));
  const all = apply(at5, groupOf(5, 6, ...intentions.map(created)), LATER).lists.intention;
  const sorted = ["9", "a", "b", "𝄞", "10", "aa", "ünï", "msg_2", "msg_10"];
  expect(all.filter(({ id }) => named.includes(id)).map(({ messageId }) => messageId)).toEqual(sorted);
});
