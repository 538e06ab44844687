import type { Being, SpaceState } from "../protocol/messages.js";
import { mapLists, NO_ROWS, rowsOf } from "./lists.js";
import { type Mutation, overlay, type Stored, unsettled } from "./mutation.js";
import type { Problem } from "./problem.js";
import {
  apply,
  awaitOlder,
  forgetOlder,
  type Group,
  isKnown,
  judge,
  type OlderPage,
  prepend,
  type Replica,
  replace,
  type State,
  within,
} from "./replica.js";
import type { Schemas } from "./schema.js";
import type { Mode, SpaceSnapshot } from "./snapshot.js";

/** All that a client knows. */
export interface SpaceStore {
  readonly spaceId: string;
  readonly replica: Replica | null;
  readonly mutations: readonly Mutation[];
  readonly mode: Mode;
  /** What is wrong with the connection. */
  readonly fault: Problem | null;
  /** Why a change has waited for long. */
  readonly delay: Problem | null;
  /** Why the last change was refused, or the last question found no answer. */
  readonly error: Problem | null;
}

export type StoreAction =
  | { type: "group"; group: Group; at: string }
  | { type: "state"; state: State }
  | { type: "await-older" }
  | ({ type: "older" } & OlderPage)
  | { type: "no-older" }
  | { type: "status"; mode: Mode; fault: Problem | null }
  | { type: "mutate"; mutation: Mutation }
  /** `version`: of the client's space, at or after the change; null: unknown. */
  | { type: "stored"; keys: readonly string[]; row: Stored; version: number | null }
  | { type: "refused"; keys: readonly string[]; error: Problem }
  | { type: "delayed"; delay: Problem | null }
  | { type: "error"; error: Problem | null };

export function emptyStore(spaceId: string): SpaceStore {
  return { spaceId, replica: null, mutations: [], mode: "cache", fault: null, delay: null, error: null };
}

/** The store of a client that is opened with these options. */
export function initialStore({
  spaceId,
  initialState,
}: {
  spaceId: string;
  initialState?: SpaceState | null | undefined;
}): SpaceStore {
  const store = emptyStore(spaceId);
  return initialState?.spaceId === spaceId ? reduce(store, { type: "state", state: initialState }) : store;
}

/**
 * What becomes of the store. Pure. Nothing that is known already changes anything, and a group that does not
 * fit is left out: {@link judge} says before what to do about it.
 */
export function reduce(store: SpaceStore, action: StoreAction): SpaceStore {
  const { replica } = store;
  const become = (next: Replica) => ({
    ...store,
    replica: next,
    mutations: unsettled(store.mutations, next),
  });
  switch (action.type) {
    case "group":
      if (judge(replica, action.group) !== "apply") return store;
      return become(apply(replica, action.group, action.at));
    case "state":
      if (isKnown(replica, action.state)) return store;
      return become(replace(replica, within(replica, action.state)));
    case "await-older":
      return replica ? become(awaitOlder(replica)) : store;
    case "older":
      return replica ? become(prepend(replica, action)) : store;
    case "no-older":
      return replica ? become(forgetOlder(replica)) : store;
    case "status":
      return { ...store, mode: action.mode, fault: action.fault };
    case "mutate":
      return { ...store, mutations: [...store.mutations, action.mutation] };
    case "stored": {
      const answer = { row: action.row, version: action.version, cursor: replica?.cursor ?? null };
      const mutations = store.mutations.map((mutation) =>
        action.keys.includes(mutation.key) ? { ...mutation, answer } : mutation,
      );
      return { ...store, mutations: replica ? unsettled(mutations, replica) : mutations };
    }
    case "refused": {
      const mutations = store.mutations.filter(({ key }) => !action.keys.includes(key));
      return { ...store, mutations, error: action.error };
    }
    case "delayed":
      return { ...store, delay: action.delay };
    case "error":
      return { ...store, error: action.error };
  }
}

/** What the store shows. Whatever did not change is the same object as in the snapshot before. */
export function show(store: SpaceStore, before: SpaceSnapshot | null, schemas?: Schemas): SpaceSnapshot {
  const { spaceId, replica, mutations } = store;
  const mode = replica ? store.mode : "opening";
  const shown = overlay(replica?.lists ?? NO_ROWS, mutations, spaceId);
  const fitting = schemas?.check(shown.lists) ?? { lists: shown.lists, problems: [] };
  const lists = mapLists(fitting.lists, (rows, type) => same(rowsOf(before?.entities ?? {}, type), rows));
  const { being: beings, intention: intentions } = lists;
  const ids = intentions.map((intention) => intention.id);
  const data = replica && { version: replica.version, timestamp: replica.timestamp, beings, intentions };
  const now: SpaceSnapshot = {
    spaceId,
    data: data && sameParts(before?.data, data),
    beings,
    intentions,
    intentionIds: same(before?.intentionIds, ids),
    entities: sameParts(before?.entities, lists as unknown as SpaceSnapshot["entities"]),
    onlineBeings: same(before?.onlineBeings, beings.filter(isOnline)),
    utterances: same(
      before?.utterances,
      intentions.filter((intention) => intention.type === "utterance"),
    ),
    mode,
    connected: mode === "realtime",
    error: store.error,
    fault: store.delay ?? store.fault,
    problems: same(before?.problems, fitting.problems),
    hasMore: replica?.hasMore ?? false,
    pendingIds: sameSet(before?.pendingIds, shown.pendingIds),
  };
  return sameParts(before, now);
}

function isOnline(being: Being): boolean {
  return being.type === "guest" || being.type === "bot" || being.type === "space";
}

function same<T>(before: readonly T[] | undefined, now: readonly T[]): readonly T[] {
  if (before === now || before?.length !== now.length) return now;
  return now.every((item, index) => item === before[index]) ? before : now;
}

function sameSet(before: ReadonlySet<string> | undefined, now: ReadonlySet<string>): ReadonlySet<string> {
  if (before?.size !== now.size) return now;
  return [...now].every((id) => before.has(id)) ? before : now;
}

function sameParts<T extends object>(before: T | null | undefined, now: T): T {
  const [was, is] = [Object.entries(before ?? {}).flat(), Object.entries(now).flat()];
  return before && same(was, is) === was ? before : now;
}
