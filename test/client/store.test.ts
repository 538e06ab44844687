import { expect, test } from "vitest";
import type { SpaceSnapshot } from "../../src/client/snapshot.js";
import { emptyStore, reduce, type SpaceStore, type StoreAction, show } from "../../src/client/store.js";
import {
  beingOf,
  changed,
  created,
  deleted,
  groupOf,
  instant,
  joined,
  messageOf,
  messagesOf,
  saying,
  spaceSyncOf,
  stateOf,
  updated,
} from "../support/postgres/rows.js";

const EMPTY = emptyStore("here");
const at = instant(1_000);
const CUT = { code: "unavailable", message: "no live updates: cut", since: at } as const;
const NO = { code: "invalid", message: "no", since: at } as const;
const after = (store: SpaceStore, ...actions: StoreAction[]) => actions.reduce(reduce, store);
const group = (...events: Parameters<typeof groupOf>): StoreAction => ({
  type: "group",
  group: groupOf(...events),
  at,
});
const state = (...args: Parameters<typeof stateOf>): StoreAction => ({
  type: "state",
  state: stateOf(...args),
});
const at5 = after(EMPTY, state(5, { beings: [beingOf("a")], intentions: messagesOf(1, 3) }));
const cut = after(EMPTY, state(5, { intentions: messagesOf(10, 12), hasMore: true }));
const stored = (key: string, row = messageOf(4, { id: "new" }), version = 6): StoreAction => ({
  type: "stored",
  keys: [key],
  row,
  version,
});

test("an empty store shows nothing, and says that nothing is known", () => {
  expect(show(EMPTY, null)).toEqual({
    spaceId: "here",
    data: null,
    beings: [],
    intentions: [],
    intentionIds: [],
    entities: { being: [], intention: [] },
    onlineBeings: [],
    utterances: [],
    mode: "opening",
    connected: false,
    error: null,
    fault: null,
    problems: [],
    hasMore: false,
    pendingIds: new Set(),
  });
});

test("a group that fits is applied, and one that does not changes nothing", () => {
  expect(after(at5, group(5, 6, created(messageOf(4)))).replica).toMatchObject({ version: 6, timestamp: at });
  for (const wrong of [group(6, 7, created(messageOf(4))), group(3, 4, deleted(messageOf(1)))]) {
    expect(after(at5, wrong)).toBe(at5);
  }
  expect(after(EMPTY, group(0, 1, created(messageOf(1))))).toBe(EMPTY);
});

test("a space-sync is the first state, or replaces what there is, unless it is known", () => {
  const sync = (version: number): StoreAction => ({ type: "group", group: [spaceSyncOf(version)], at });
  expect(after(EMPTY, sync(0)).replica).toMatchObject({ version: 0, timestamp: instant(0) });
  expect(after(at5, sync(6)).replica).toMatchObject({ version: 6, lists: { being: [], intention: [] } });
  expect(after(at5, sync(5))).toBe(at5);
  expect(after(at5, sync(4))).toBe(at5);
});

test("a polled state replaces what there is, unless it is known", () => {
  expect(after(at5, state(6)).replica).toMatchObject({ version: 6, lists: { intention: [] } });
  expect(after(at5, state(5))).toBe(at5);
  expect(after(at5, state(1, { cursor: "f.1" })).replica).toMatchObject({ version: 1, cursor: "f.1" });
});

test("an older page is put before the others, and one of another window is dropped", () => {
  const awaiting = after(cut, { type: "await-older" });
  const older = (window: number | undefined): StoreAction => ({
    type: "older",
    page: messagesOf(8, 9),
    hasMore: false,
    window: window ?? -1,
  });
  expect(show(after(awaiting, older(cut.replica?.window)), null)).toMatchObject({
    intentionIds: ["m8", "m9", "m10", "m11", "m12"],
    hasMore: false,
  });
  const replaced = after(awaiting, state(6, { intentions: messagesOf(10, 13), hasMore: true }));
  expect(after(replaced, older(cut.replica?.window)).replica).toBe(replaced.replica);
});

test("an older page that will not come is no longer awaited", () => {
  const awaiting = after(cut, { type: "await-older" });
  expect(awaiting.replica?.unseen).toEqual(new Map());
  expect(after(awaiting, { type: "no-older" })).toEqual(cut);
});

test("asking for older messages before anything is known changes nothing", () => {
  const actions: StoreAction[] = [
    { type: "await-older" },
    { type: "older", page: messagesOf(1, 2), hasMore: true, window: 0 },
    { type: "no-older" },
  ];
  for (const action of actions) expect(after(EMPTY, action)).toBe(EMPTY);
});

test("the mode and what is wrong with the line are shown", () => {
  const polling: StoreAction = { type: "status", mode: "polling", fault: CUT };
  const snapshot = show(after(at5, polling), null);
  expect(snapshot).toMatchObject({ mode: "polling", connected: false, error: null, fault: CUT });
  const again = show(after(at5, polling, { type: "status", mode: "realtime", fault: null }), null);
  expect(again).toMatchObject({ mode: "realtime", connected: true, fault: null });
});

test("a change that has waited for long says so before the line does, whose fault it may be", () => {
  const delay = { code: "internal", message: "a change waits to be sent", since: at } as const;
  const cut = after(at5, { type: "status", mode: "polling", fault: CUT }, { type: "delayed", delay });
  expect(show(cut, null)).toMatchObject({ mode: "polling", error: null, fault: delay });
  expect(show(after(cut, { type: "delayed", delay: null }), null).fault).toBe(CUT);
});

test("without data the mode is opening, whatever the line says; with data it is never that", () => {
  for (const mode of ["realtime", "polling", "cache"] as const) {
    const line: StoreAction = { type: "status", mode, fault: null };
    expect(show(after(EMPTY, line), null)).toMatchObject({ mode: "opening", connected: false });
    expect(show(after(EMPTY, line, { type: "state", state: stateOf(5) }), null).mode).toBe(mode);
  }
  expect(show(after(EMPTY, { type: "state", state: stateOf(5) }), null).mode).toBe("cache");
});

test("a change shows at once, also before anything is known of the space", () => {
  const mutation = saying("create", "new");
  const snapshot = show(after(EMPTY, { type: "mutate", mutation }), null);
  expect(snapshot).toMatchObject({ data: null, intentionIds: ["new"], pendingIds: new Set(["new"]) });
  const then = after(EMPTY, { type: "mutate", mutation }, stored(mutation.key));
  expect(show(then, null)).toMatchObject({ intentionIds: ["new"], pendingIds: new Set() });
  expect(after(then, state(5)).mutations.length).toBe(1);
  expect(after(then, state(6)).mutations).toEqual([]);
});

test("a change whose answer comes before its event is shown without a break, and once", () => {
  const mutation = saying("create", "new");
  const row = messageOf(4, { id: "new" });
  const steps: StoreAction[] = [
    { type: "mutate", mutation },
    stored(mutation.key, row),
    group(5, 6, created(row)),
  ];
  let store = at5;
  for (const step of steps) {
    store = reduce(store, step);
    expect(show(store, null).intentionIds).toEqual(["m1", "m2", "m3", "new"]);
  }
  expect([store.mutations, show(store, null).pendingIds]).toEqual([[], new Set()]);
});

test("a change whose event comes before its answer is shown without a break, and once", () => {
  const mutation = saying("create", "new");
  const row = messageOf(4, { id: "new" });
  const steps: StoreAction[] = [
    { type: "mutate", mutation },
    group(5, 6, created(row)),
    stored(mutation.key, row),
  ];
  let store = at5;
  for (const step of steps) {
    store = reduce(store, step);
    expect(show(store, null).intentionIds).toEqual(["m1", "m2", "m3", "new"]);
  }
  expect(store.mutations).toEqual([]);
});

test("an event of somebody else in between changes what is shown below the own change", () => {
  const mutation = saying("update", "m1", { name: "mine" });
  const theirs = messageOf(1, { name: "theirs", state: "failed" });
  let store = after(at5, { type: "mutate", mutation }, group(5, 6, updated(theirs)));
  expect(show(store, null).intentions[0]).toEqual({ ...theirs, name: "mine" });
  const both = { ...theirs, name: "mine", modifiedAt: instant(500) };
  store = after(store, stored(mutation.key, both, 7));
  expect(show(store, null).intentions[0]).toEqual(both);
  store = after(store, group(6, 7, updated(both)));
  expect([store.mutations, show(store, null).intentions[0]]).toEqual([[], both]);
});

test("a refused change is taken back, and its reason is shown until it is dismissed", () => {
  const mutation = saying("update", "m1", { name: "mine" });
  const refused = after(
    at5,
    { type: "mutate", mutation },
    { type: "refused", keys: [mutation.key], error: NO },
  );
  expect(show(refused, null)).toMatchObject({
    error: NO,
    intentions: messagesOf(1, 3),
    pendingIds: new Set(),
  });
  const fault = after(refused, { type: "status", mode: "polling", fault: CUT });
  expect(show(fault, null)).toMatchObject({ error: NO, fault: CUT });
  expect(show(after(fault, { type: "error", error: null }), null)).toMatchObject({ error: null, fault: CUT });
});

test("a refusal takes back only what it names", () => {
  const [mine, other] = [saying("update", "m1", { name: "x" }), saying("delete", "m2")];
  const both = after(at5, { type: "mutate", mutation: mine }, { type: "mutate", mutation: other });
  const left = after(both, { type: "refused", keys: [mine.key], error: NO });
  expect(show(left, null)).toMatchObject({ intentionIds: ["m1", "m3"], pendingIds: new Set(["m2"]) });
});

test("an answer to updates that were sent as one answers each of them", () => {
  const [first, second] = [
    saying("update", "m1", { name: "x" }),
    saying("update", "m1", { state: "paused" }),
  ];
  const row = messageOf(1, { name: "x", state: "paused" });
  const store = after(
    at5,
    { type: "mutate", mutation: first },
    { type: "mutate", mutation: second },
    { type: "stored", keys: [first.key, second.key], row, version: 6 },
  );
  expect(show(store, null)).toMatchObject({ intentions: [row, {}, {}], pendingIds: new Set() });
  expect(after(store, group(5, 6, updated(row))).mutations).toEqual([]);
});

test("what went wrong otherwise is shown until it is dismissed; dismissing nothing changes nothing", () => {
  const failed = after(at5, { type: "error", error: NO });
  expect(show(failed, null).error).toBe(NO);
  expect(show(after(failed, { type: "error", error: null }), null).error).toBeNull();
  const shown = show(at5, null);
  expect(show(after(at5, { type: "error", error: null }), shown)).toBe(shown);
});

test("who is online and what was said are lists of their own", () => {
  const beings = (["guest", "bot", "space", "document"] as const).map((type) => beingOf(type, { type }));
  const intentions = [messageOf(1), messageOf(2, { type: "error" })];
  expect(show(after(EMPTY, state(1, { beings, intentions })), null)).toMatchObject({
    onlineBeings: beings.slice(0, 3),
    utterances: intentions.slice(0, 1),
  });
});

const same = (now: SpaceSnapshot, before: SpaceSnapshot) =>
  Object.keys(now).filter((name) => now[name as keyof SpaceSnapshot] === before[name as keyof SpaceSnapshot]);

test("a snapshot of an unchanged store is the snapshot of before", () => {
  const before = show(at5, null);
  expect(show(at5, before)).toBe(before);
  expect(show(after(at5, state(5)), before)).toBe(before);
  expect(show(after(cut, { type: "await-older" }), show(cut, null))).toMatchObject({ hasMore: true });
});

test("an update of a message leaves all lists the same but those that have it", () => {
  const before = show(at5, null);
  const now = show(after(at5, group(5, 6, updated(messageOf(2, { name: "new" })))), before);
  expect(now.intentionIds).toBe(before.intentionIds);
  expect(now.beings).toBe(before.beings);
  expect(now.onlineBeings).toBe(before.onlineBeings);
  expect(now.pendingIds).toBe(before.pendingIds);
  expect(now.intentions[0]).toBe(before.intentions[0]);
  expect(now.intentions).not.toBe(before.intentions);
  expect(now.data).toEqual({ version: 6, timestamp: at, beings: now.beings, intentions: now.intentions });
});

test("a being that changes leaves the messages the same, and a mode leaves the data the same", () => {
  const before = show(at5, null);
  const now = show(after(at5, group(5, 6, changed(beingOf("a", { name: "A" })))), before);
  expect(now.intentions).toBe(before.intentions);
  expect(now.utterances).toBe(before.utterances);
  const line = show(after(at5, { type: "status", mode: "realtime", fault: null }), before);
  expect(same(line, before).sort()).toEqual(
    Object.keys(before)
      .filter((name) => !/mode|connected/.test(name))
      .sort(),
  );
});

test("a document that joins is not online: that list stays the same", () => {
  const before = show(at5, null);
  const now = show(after(at5, group(5, 6, joined(beingOf("d", { type: "document" })))), before);
  expect(now.onlineBeings).toBe(before.onlineBeings);
  expect(now.beings.length).toBe(2);
});

test("the data is the same object only at the same version, with the same lists", () => {
  const before = show(at5, null);
  // A change of what is not shown here, such as a message before the window, still moves the version.
  const now = show(after(cut, group(5, 6, updated(messageOf(3)))), show(cut, null));
  expect(now.data).toMatchObject({ version: 6 });
  const pending = show(after(at5, { type: "mutate", mutation: saying("delete", "m1") }), before);
  expect(pending.data).not.toBe(before.data);
  expect(pending.data?.intentions).toBe(pending.intentions);
});
