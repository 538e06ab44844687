import { createStore, del, get, keys, promisifyRequest, set, type UseStore } from "idb-keyval";
import { type Mutation, newId } from "./mutation.js";
import { attempt, type Keep, type KeptState } from "./persistence.js";

let opened: UseStore | undefined;
const store = () => {
  opened ??= createStore("spacefeed", "kept");
  return opened;
};
const lockOf = (tab: string) => `spacefeed changes ${tab}`;

/**
 * In a browser. The state is any tab's to write. The changes are kept by tab; those of a tab that has gone are taken
 * over. Locks that are refused cost the changes, and nothing else.
 */
export class IndexedDb implements Keep {
  readonly #space: string;
  readonly #tab = newId();
  readonly #stateKey: IDBValidKey;
  readonly #mutationsKey: IDBValidKey;
  readonly #closing = new AbortController();
  /** Held as long as the tab lives: that is how the others see that its changes are looked after. */
  readonly #isHeld: Promise<boolean>;

  /** `space` tells spaces, relays and users apart. */
  constructor(space: string) {
    this.#space = space;
    this.#stateKey = ["space", space];
    this.#mutationsKey = ["changes", space, this.#tab];
    this.#isHeld = new Promise((resolve) => {
      const hold = () => {
        resolve(true);
        return new Promise((end) => this.#closing.signal.addEventListener("abort", end));
      };
      void attempt(() => navigator.locks.request(lockOf(this.#tab), hold)).then(() => resolve(false));
    });
  }

  load(): Promise<KeptState | undefined> {
    return get(this.#stateKey, store());
  }

  save(state: KeptState): Promise<void> {
    return set(this.#stateKey, state, store());
  }

  async saveMutations(mutations: readonly Mutation[]): Promise<void> {
    if (!(await this.#isHeld)) return; // nobody could tell later whether we still look after them
    const key = this.#mutationsKey;
    await (mutations.length > 0 ? set(key, mutations, store()) : del(key, store()));
  }

  async adoptMutations(take: (mutation: Mutation) => void): Promise<void> {
    for (const key of await keys<[kind: string, space: string, tab: string]>(store())) {
      const [kind, space, tab] = key;
      if (kind !== "changes" || space !== this.#space || tab === this.#tab) continue;
      const adopt = async (lock: Lock | null) => {
        const mutations = lock && (await attempt(() => this.#takeOver(key)));
        for (const mutation of mutations ?? []) take(mutation);
      };
      await attempt(() => navigator.locks.request(lockOf(tab), { ifAvailable: true }, adopt));
    }
  }

  /** In one transaction: at no moment are they kept twice, or not at all. */
  #takeOver(key: IDBValidKey): Promise<Mutation[]> {
    return store()("readwrite", async (objects) => {
      const theirs = ((await promisifyRequest(objects.get(key))) ?? []) as Mutation[];
      const own = ((await promisifyRequest(objects.get(this.#mutationsKey))) ?? []) as Mutation[];
      objects.put([...own, ...theirs], this.#mutationsKey);
      objects.delete(key);
      return promisifyRequest(objects.transaction).then(() => theirs);
    });
  }

  close(): void {
    this.#closing.abort();
  }
}

/** Whether there is an IndexedDB. Where storage is blocked, already to look at it may throw. */
export function canPersist(): boolean {
  try {
    return Boolean(globalThis.indexedDB);
  } catch {
    return false;
  }
}
