import type { Mutation } from "./mutation.js";
import { type Replica, type State, stateFrom } from "./replica.js";

/** Raised when what is kept is no longer understood. */
const FORMAT = 2;
const MESSAGES = 200;
const SAVE_AFTER_MS = 300;
/** A storage that does not answer must not keep the page waiting. */
const TIMEOUT_MS = 1_000;

/** The last known state of a space, as it is kept. */
interface KeptState {
  format: number;
  state: State;
}

/** Where one client of a space keeps what outlives it. Whatever is rejected costs what would have been kept. */
export interface Keep {
  load(): Promise<KeptState | undefined>;
  save(state: KeptState): Promise<unknown>;
  /** Instead of those of before. */
  saveMutations(mutations: readonly Mutation[]): Promise<unknown>;
  /** Hands over the changes that clients which have gone left behind, in their order. */
  adoptMutations(take: (mutation: Mutation) => void): Promise<unknown>;
  close(): void;
}

/**
 * What outlives the page: the last known state of a space, and the changes that wait to be sent.
 * A storage that fails (private mode, full disk) costs what would have been kept, and nothing else.
 */
export class Persistence {
  readonly #keep: Keep;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unsaved: Replica | undefined;

  constructor(keep: Keep) {
    this.#keep = keep;
  }

  /** The state that was saved last; null when there is none. */
  async load(): Promise<State | null> {
    const timeout = new Promise<undefined>((resolve) => setTimeout(resolve, TIMEOUT_MS));
    const kept = await Promise.race([attempt(() => this.#keep.load()), timeout]);
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
    void attempt(() => this.#keep.save({ format: FORMAT, state: stateFrom(replica, MESSAGES) }));
  }

  /** Keeps the changes that wait to be sent. */
  saveMutations(mutations: readonly Mutation[]): void {
    void attempt(() => this.#keep.saveMutations(mutations));
  }

  adoptMutations(take: (mutation: Mutation) => void): void {
    void attempt(() => this.#keep.adoptMutations(take));
  }

  close(): void {
    this.flush();
    this.#keep.close();
  }
}

/** What it resolves to; undefined where it fails. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch {
    return undefined;
  }
}
