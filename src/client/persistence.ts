import { createStore, del, get, keys, promisifyRequest, set, type UseStore } from "idb-keyval";
import { type Mutation, newId } from "./mutation.js";
import { type Replica, type State, stateFrom } from "./replica.js";

/** Raised when what is kept is no longer understood. */
const FORMAT = 2;
const MESSAGES = 200;
const SAVE_AFTER_MS = 300;
/** A storage that does not answer must not keep the page waiting. */
const TIMEOUT_MS = 1_000;

let opened: UseStore | undefined;
const store = () => {
  opened ??= createStore("spacefeed", "kept");
  return opened;
};
const lockOf = (tab: string) => `spacefeed changes ${tab}`;

/**
 * What outlives the page, in IndexedDB: the last known state of a space, and the changes that wait to be sent.
 * The state is any tab's to write. The changes are kept by tab; those of a tab that has gone are taken over.
 * A storage that fails (private mode, full disk), and locks that are refused, cost what would have been kept, and
 * nothing else.
 */
export class Persistence {
  readonly #space: string;
  readonly #tab = newId();
  readonly #stateKey: IDBValidKey;
  readonly #mutationsKey: IDBValidKey;
  readonly #closing = new AbortController();
  /** Held as long as the tab lives: that is how the others see that its changes are looked after. */
  readonly #isHeld: Promise<boolean>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unsaved: Replica | undefined;

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

  /** The state that was saved last; null when there is none. */
  async load(): Promise<State | null> {
    const timeout = new Promise<undefined>((resolve) => setTimeout(resolve, TIMEOUT_MS));
    const loaded = attempt(() => get<{ format: number; state: State }>(this.#stateKey, store()));
    const kept = await Promise.race([loaded, timeout]);
    return kept?.format === FORMAT ? kept.state : null;
  }

  /** Saves the state, soon: one that changes many times a second is not written as often. */
  save(replica: Replica): void {
    this.#unsaved = replica;
    this.#timer ??= setTimeout(() => this.flush(), SAVE_AFTER_MS);
  }

  /** Saves now: the page may be about to go. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const replica = this.#unsaved;
    this.#unsaved = undefined;
    if (!replica) return;
    void attempt(() => set(this.#stateKey, { format: FORMAT, state: stateFrom(replica, MESSAGES) }, store()));
  }

  /** Keeps the changes of this tab that wait to be sent. */
  async saveMutations(mutations: readonly Mutation[]): Promise<void> {
    if (!(await this.#isHeld)) return; // nobody could tell later whether we still look after them
    const key = this.#mutationsKey;
    await attempt(() => (mutations.length > 0 ? set(key, mutations, store()) : del(key, store())));
  }

  /** Hands over the changes that tabs which have gone left behind, in their order. */
  async adoptMutations(take: (mutation: Mutation) => void): Promise<void> {
    const all = (await attempt(() => keys<[kind: string, space: string, tab: string]>(store()))) ?? [];
    for (const key of all) {
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
    this.flush();
    this.#closing.abort();
  }
}

async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch {
    return undefined;
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
