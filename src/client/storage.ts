import type { Mutation } from "./mutation.js";
import type { Keep } from "./persistence.js";

/** What keeps texts by key: React Native's AsyncStorage, Expo's SQLite storage, a page's localStorage. */
export interface KeyValueStorage {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, value: string): unknown;
}

/**
 * For `persist`, where there is no IndexedDB. Of a space there should be one open client on a storage: unlike tabs, two
 * cannot tell whose changes are whose.
 *
 *     createSpaceClient({ url, spaceId, persist: persistIn(AsyncStorage) })
 */
export function persistIn(storage: KeyValueStorage): (space: string) => Keep {
  return (space) => {
    const [stateKey, mutationsKey] = [`spacefeed space ${space}`, `spacefeed changes ${space}`];
    const read = async (key: string) => JSON.parse((await storage.getItem(key)) ?? "null") ?? undefined;
    // One after the other: a storage may answer in any order.
    let last: Promise<unknown> = Promise.resolve();
    const write = (key: string, value: () => unknown) => {
      const next = async () => storage.setItem(key, JSON.stringify(value()));
      last = last.then(next, next);
      return last;
    };
    /** What a client of before has left, and this one has not taken over yet. */
    let left: Mutation[] = [];
    const before = read(mutationsKey).then(
      (mutations: Mutation[] = []) => {
        left = mutations;
      },
      () => {},
    );
    return {
      load: () => read(stateKey),
      save: (state) => write(stateKey, () => state),
      saveMutations: async (mutations) => {
        await before;
        await write(mutationsKey, () => [...left, ...mutations]);
      },
      adoptMutations: async (take) => {
        await before;
        for (const mutation of left.splice(0)) take(mutation);
      },
      close: () => {},
    };
  };
}
