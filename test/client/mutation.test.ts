import { expect, test, vi } from "vitest";
import { type Mutation, newId, overlay, unsettled } from "../../src/client/mutation.js";
import { apply, type Replica, replace } from "../../src/client/replica.js";
import {
  answered,
  beingOf,
  changing,
  created,
  deleted,
  groupOf,
  instant,
  making,
  messageOf,
  messagesOf,
  saying,
  stateOf,
  tracked,
  updated,
} from "../support/postgres/rows.js";

const LATER = instant(1_000_000);
const at5 = replace(null, stateOf(5, { beings: [beingOf("a")], intentions: messagesOf(1, 2) }));
const shown = (replica: Replica, ...mutations: Mutation[]) => {
  const { lists, pendingIds } = overlay(replica.lists, mutations, "here");
  return { beings: lists.being, intentions: lists.intention, pendingIds };
};
const stays = (replica: Replica, mutation: Mutation) => unsettled([mutation], replica).length === 1;

test("without changes the overlay shows the very rows of the replica", () => {
  const { beings, intentions, pendingIds } = shown(at5);
  expect(beings[0]).toBe(at5.lists.being[0]);
  expect(intentions.map((row, index) => row === at5.lists.intention[index])).toEqual([true, true]);
  expect(pendingIds.size).toBe(0);
});

test("a new message shows behind all others at once, as the database would store it", () => {
  const { intentions, pendingIds } = shown(at5, saying("create", "new", { content: ["hello"] }));
  expect(intentions.at(-1)).toEqual(
    messageOf(0, {
      id: "new",
      messageId: "",
      content: ["hello"],
      createdAt: instant(9_999),
      modifiedAt: instant(9_999),
    }),
  );
  expect(pendingIds).toEqual(new Set(["new"]));
});

test("a new being shows at once, as the database would store it", () => {
  const [, being] = shown(at5, making("create", "b", { name: "Bea", type: "bot" })).beings;
  expect(being).toEqual(
    beingOf("b", { name: "Bea", type: "bot", createdAt: instant(9_999), modifiedAt: instant(9_999) }),
  );
});

test("the fields of a new row are those that are given", () => {
  const given = { name: "n", type: "error", state: "active", ownerId: "o", content: [1] } as const;
  const fields = { ...given, content: [1] };
  expect(shown(at5, saying("create", "new", fields)).intentions.at(-1)).toMatchObject(fields);
  const being = {
    type: "document",
    ownerId: "o",
    metadata: { a: 1 },
    properties: { b: 2 },
    content: "text",
  } as const;
  expect(shown(at5, making("create", "b", being)).beings.at(-1)).toMatchObject(being);
});

test("an update shows at once, in its place, and leaves the other rows the same objects", () => {
  const { intentions } = shown(at5, saying("update", "m1", { state: "cancelled" }));
  expect(intentions[0]).toEqual(messageOf(1, { state: "cancelled" }));
  expect(intentions[1]).toBe(at5.lists.intention[1]);
});

test("updates of one row add up, the later over the earlier", () => {
  const mutations = [
    saying("update", "m1", { state: "active", name: "first" }),
    saying("update", "m1", { state: "complete" }),
  ];
  expect(shown(at5, ...mutations).intentions[0]).toEqual(messageOf(1, { name: "first", state: "complete" }));
});

test("an update that leaves a field undefined leaves it as it is", () => {
  const { intentions } = shown(at5, saying("update", "m1", { name: undefined, state: "paused" }));
  expect(intentions[0]).toEqual(messageOf(1, { state: "paused" }));
  expect(intentions[0]?.name).toBe("");
});

test("a deletion hides the row at once, also one that is only just being created", () => {
  const { intentions, pendingIds } = shown(
    at5,
    saying("create", "new"),
    saying("delete", "new"),
    saying("delete", "m1"),
  );
  expect(intentions.map(({ id }) => id)).toEqual(["m2"]);
  expect(pendingIds).toEqual(new Set(["new", "m1"]));
});

test("what is moved to another space is no longer here, and what is moved to this one stays", () => {
  const { beings, intentions } = shown(
    at5,
    saying("update", "m1", { locationId: "there" }),
    saying("update", "m2", { locationId: "here", name: "stays" }),
    making("update", "a", { locationId: null }),
    saying("create", "new", { locationId: "there" }),
    making("create", "b", { locationId: null }),
  );
  expect([beings, intentions.map(({ name }) => name)]).toEqual([[], ["stays"]]);
});

test("an update or deletion of what is not here shows nothing", () => {
  const { intentions } = shown(at5, saying("update", "m9", { name: "x" }), saying("delete", "m8"));
  expect(intentions).toEqual(at5.lists.intention);
});

test("the creation of what is here already shows what is here", () => {
  const { intentions } = shown(at5, saying("create", "m1", { name: "mine" }));
  expect(intentions).toEqual(at5.lists.intention);
});

test("the same change of the same row is the same object, as long as the row is", () => {
  const mutations = [saying("create", "new"), saying("update", "m1", { name: "x" })];
  const [first, second] = [shown(at5, ...mutations).intentions, shown(at5, ...mutations).intentions];
  expect(second.map((row, index) => row === first[index])).toEqual([true, true, true]);
  const next = apply(at5, groupOf(5, 6, updated(messageOf(1, { content: ["theirs"] }))), LATER);
  const third = shown(next, ...mutations).intentions;
  expect(third[0]).toEqual(messageOf(1, { content: ["theirs"], name: "x" }));
  expect(third[2]).toBe(first[2]);
});

test("an answered change shows the stored row, and nothing of it is pending", () => {
  const row = messageOf(3, { id: "new", name: "as stored" });
  const { intentions, pendingIds } = shown(
    at5,
    answered(saying("create", "new", { name: "as asked" }), row, 6),
  );
  expect(intentions.at(-1)).toBe(row);
  expect(pendingIds.size).toBe(0);
  const next = messageOf(1, { name: "stored", state: "complete" });
  expect(shown(at5, answered(saying("update", "m1", { name: "asked" }), next, 6)).intentions[0]).toBe(next);
});

test("a change that waits is shown upon the answer to the one before it, and only it is pending", () => {
  const { intentions, pendingIds } = shown(
    at5,
    answered(saying("create", "new"), messageOf(3, { id: "new", name: "stored" }), 6),
    saying("update", "new", { state: "failed" }),
  );
  expect(intentions.at(-1)).toMatchObject({ messageId: "msg_3", name: "stored", state: "failed" });
  expect(pendingIds).toEqual(new Set(["new"]));
});

test("what is not answered stays", () => {
  expect(stays(at5, saying("update", "m1", { name: "x" }))).toBe(true);
});

test("P3: an answered change goes when the replica has reached its version, and not before", () => {
  const change = answered(saying("create", "new"), messageOf(3, { id: "new" }), 7);
  expect(stays(at5, change)).toBe(true);
  const at6 = apply(at5, groupOf(5, 6, created(messageOf(4))), LATER);
  expect(stays(at6, change)).toBe(true);
  expect(stays(apply(at6, groupOf(6, 7, created(messageOf(3, { id: "new" }))), LATER), change)).toBe(false);
  expect(stays(replace(at5, stateOf(8)), change)).toBe(false);
});

test("an answered change goes at once where the event came before the answer", () => {
  expect(stays(at5, answered(saying("update", "m1"), messageOf(1), 5))).toBe(false);
  expect(stays(at5, answered(saying("delete", "m1"), messageOf(1), 4))).toBe(false);
});

test("P11: an answer of an epoch that is over goes: the new state has what there is", () => {
  const change = answered(saying("update", "m1"), messageOf(1), 90, "e.80");
  expect(stays(at5, change)).toBe(true);
  expect(stays(replace(at5, stateOf(3, { cursor: "f.3" })), change)).toBe(false);
});

test("an answer that came before any state is compared with the first one", () => {
  const change = answered(saying("create", "new"), messageOf(3, { id: "new" }), 7, null);
  expect(stays(at5, change)).toBe(true);
  expect(stays(replace(null, stateOf(7)), change)).toBe(false);
});

test("a change to another space goes when the replica has reached the version of this one", () => {
  const change = answered(
    saying("update", "m1", { locationId: "there" }),
    messageOf(1, { locationId: "there" }),
    6,
  );
  expect(stays(at5, change)).toBe(true);
  expect(shown(at5, change).intentions.map(({ id }) => id)).toEqual(["m2"]);
  expect(stays(apply(at5, groupOf(5, 6, deleted(messageOf(1))), LATER), change)).toBe(false);
});

test("P3: a row that was moved away and came back before we heard of either is shown again", () => {
  const gone = messageOf(1, { locationId: "there", modifiedAt: instant(100) });
  const change = answered(saying("update", "m1", { locationId: "there" }), gone, 6);
  // Both moves come as one, since a catch-up is compacted: the row has never been missing here.
  const back = messageOf(1, { name: "back", modifiedAt: instant(200) });
  const at7 = apply(at5, groupOf(5, 7, updated(back)), LATER);
  const left = unsettled([change], at7);
  expect(left).toEqual([]);
  expect(shown(at7, ...left).intentions[0]).toEqual(back);
});

test("P3: a row that we deleted, and that was made anew before we heard of either, is shown", () => {
  // The answer to the deletion was lost, and the second attempt found nothing: no row, no version.
  const change = answered(
    saying("delete", "m1"),
    { ...messageOf(1), locationId: null } as never,
    null,
    "e.5",
  );
  const anew = messageOf(9, { id: "m1", name: "anew", modifiedAt: instant(200) });
  const at7 = apply(at5, groupOf(5, 7, updated(anew)), LATER);
  const left = unsettled([change], at7);
  expect(shown(at7, ...left).intentions).toContainEqual(anew);
});

const tasks = replace(
  null,
  stateOf(5, { entities: { task: [{ id: "a", locationId: "store" }, { id: "c" }] } }),
);
const shownTasks = (replica: Replica, ...mutations: Mutation[]) =>
  overlay(replica.lists, mutations, "here").lists.task;

test("a new row of a tracked table has the fields that are given, and its place by its ID", () => {
  const mutation = changing("task", "create", "b", { title: "t", more: undefined });
  expect(shownTasks(tasks, mutation)?.[1]).toEqual({ id: "b", title: "t" });
  const { lists } = overlay(at5.lists, [changing("constructor", "create", "1")], "here");
  expect(lists).toMatchObject({ constructor: [{ id: "1" }] });
});

test("what a row of a tracked table calls locationId is no space: it stays until the event", () => {
  const mutation = changing("task", "update", "a", { locationId: "shelf" });
  expect(shownTasks(tasks, mutation)?.[0]).toEqual({ id: "a", locationId: "shelf" });
  const moved = answered(mutation, { id: "a", locationId: "shelf" }, 6);
  expect(shownTasks(tasks, moved)?.[0]).toEqual({ id: "a", locationId: "shelf" });
  const at6 = apply(tasks, groupOf(5, 6, tracked("task-deleted", { id: "a" })), LATER);
  expect(shownTasks(at6, ...unsettled([moved], at6))).toEqual([{ id: "c" }]);
});

test("rows of two types may have one ID", () => {
  const mutations = [changing("task", "delete", "a"), saying("update", "a", { name: "of no task" })];
  expect(shownTasks(tasks, ...mutations)).toEqual([{ id: "c" }]);
  expect(shown(at5, ...mutations).intentions).toEqual(at5.lists.intention);
});

test("the same list comes back when every change stays", () => {
  const mutations = [saying("create", "x"), making("delete", "a")];
  expect(unsettled(mutations, at5)).toBe(mutations);
});

test("new IDs are all different, and UUIDs also where nothing there makes any", () => {
  for (const found of [crypto, {}, undefined]) {
    vi.stubGlobal("crypto", found);
    const ids = Array.from({ length: 1_000 }, newId);
    vi.unstubAllGlobals();
    expect(new Set(ids).size).toBe(1_000);
    for (const id of ids)
      expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  }
});
