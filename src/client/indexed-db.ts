import { createStore, del, get, keys, promisifyRequest, set, type UseStore } from "idb-keyval";
import { type Mutation, newId } from "./mutation.js";
import { attempt, type Keep } from "./persistence.js";

let opened: UseStore | undefined;
const store = () => {
  opened ??= createStore("spacefeed", "kept");
  return opened;
};
const lockOf = (tab: string) => `spacefeed changes ${tab}`;

/**
 * In a browser. The state is any tab's to write. The changes are kept by tab; those of a tab that has gone are taken
 * over. Locks that are refused cost the changes, and nothing else. `space` tells spaces, relays and users apart.
 */
export function inIndexedDb(space: string): Keep {
  const tab = newId();
  const stateKey = ["space", space];
  const mutationsKey = ["changes", space, tab];
  const closing = new AbortController();
  /** Held as long as the tab lives: that is how the others see that its changes are looked after. */
  const isHeld = new Promise<boolean>((resolve) => {
    const hold = () => {
      resolve(true);
      return closing.signal.aborted || new Promise((end) => closing.signal.addEventListener("abort", end));
    };
    void attempt(() => navigator.locks.request(lockOf(tab), hold)).then(() => resolve(false));
  });
  /** In one transaction: at no moment are they kept twice, or not at all. */
  const takeOver = (key: IDBValidKey): Promise<Mutation[]> =>
    store()("readwrite", async (objects) => {
      const theirs = ((await promisifyRequest(objects.get(key))) ?? []) as Mutation[];
      const own = ((await promisifyRequest(objects.get(mutationsKey))) ?? []) as Mutation[];
      objects.put([...own, ...theirs], mutationsKey);
      objects.delete(key);
      return promisifyRequest(objects.transaction).then(() => theirs);
    });
  return {
    load: () => get(stateKey, store()),
    save: (state) => set(stateKey, state, store()),
    saveMutations: async (mutations) => {
      if (!(await isHeld)) return; // nobody could tell later whether we still look after them
      await (mutations.length > 0 ? set(mutationsKey, mutations, store()) : del(mutationsKey, store()));
    },
    adoptMutations: async (take) => {
      for (const key of await keys<[kind: string, space: string, tab: string]>(store())) {
        const [kind, theirSpace, theirTab] = key;
        if (kind !== "changes" || theirSpace !== space || theirTab === tab) continue;
        const adopt = async (lock: Lock | null) => {
          const mutations = lock && (await attempt(() => takeOver(key)));
          for (const mutation of mutations ?? []) take(mutation);
        };
        await attempt(() => navigator.locks.request(lockOf(theirTab), { ifAvailable: true }, adopt));
      }
    },
    close: () => closing.abort(),
  };
}

/** Whether there is an IndexedDB. Where storage is blocked, already to look at it may throw. */
export function canPersist(): boolean {
  try {
    return Boolean(globalThis.indexedDB);
  } catch {
    return false;
  }
}
