import { SpacefeedError } from "../protocol/errors.js";
import type { Being, Intention } from "../protocol/messages.js";
import { Api, LIMITS } from "./api.js";
import { remember } from "./cache.js";
import type { SpaceClient, SpaceClientOptions } from "./client.js";
import { canKeep, Keep } from "./keep.js";
import { type BeingFields, type IntentionFields, type Mutation, newId } from "./mutation.js";
import { Outbox } from "./outbox.js";
import { isKnown, judge } from "./replica.js";
import type { SpaceSnapshot } from "./snapshot.js";
import { emptyStore, reduce, type SpaceStore, type StoreAction, show } from "./store.js";
import { SharedLine, type TabReceiver } from "./tabs.js";
import { type Line, type Receiver, Transport } from "./transport.js";
import { troubleOf } from "./trouble.js";

/** Glues the parts of a client together: what comes over the line goes into the store, what changes goes out. */
export class Space implements SpaceClient {
  readonly spaceId: string;
  readonly #api: Api;
  #line: Line;
  readonly #outbox: Outbox;
  readonly #keep: Keep | undefined;
  readonly #newLine: () => Line;
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  #store: SpaceStore;
  #snapshot: SpaceSnapshot;
  #olderPage: Promise<boolean> | undefined;

  constructor({ spaceId, url = "/", headers, fetch, persist = false, tabs = !headers }: SpaceClientOptions) {
    this.spaceId = spaceId;
    this.#store = emptyStore(spaceId);
    this.#snapshot = show(this.#store, null);
    this.#api = new Api({ url, ...(headers && { headers }), ...(fetch && { fetch }) });
    const user = typeof tabs === "string" ? tabs : "";
    const name = JSON.stringify([this.#api.address("/"), user, spaceId]);
    if (persist && headers && !user) {
      throw new SpacefeedError(
        "config",
        "persist with headers would show what one user has read to the next one: set tabs to the user's ID",
      );
    }
    if (persist && canKeep()) this.#keep = new Keep(name);
    const connect = (receiver: Receiver) => new Transport(this.#api, spaceId, receiver);
    const shares = tabs !== false && globalThis.document !== undefined;
    this.#newLine = () => (shares ? new SharedLine(name, this.#receiver, connect) : connect(this.#receiver));
    this.#line = this.#newLine();
    this.#outbox = new Outbox(this.#api, spaceId, {
      stored: (keys, row, version) => {
        const cursor = this.#store.replica?.cursor ?? null;
        this.#dispatch({ type: "stored", keys, answer: { row, version, cursor } });
      },
      refused: (keys, error) => this.#dispatch({ type: "refused", keys, reason: troubleOf(error) }),
      delayed: (delay) => this.#dispatch({ type: "delayed", delay }),
      changed: (letters) => this.#keep?.saveMutations(letters.map((letter) => letter.mutation)),
    });
    void this.#start();
  }

  async #start(): Promise<void> {
    this.#watchThePage();
    if (this.#keep) {
      const state = await this.#keep.load();
      if (this.#closing.signal.aborted) return;
      if (state) this.#dispatch({ type: "state", state });
      void this.#keep.adoptMutations((mutation) => void this.#send(mutation, true));
    }
    this.#line.start();
  }

  #watchThePage(): void {
    const { signal } = this.#closing;
    const { document } = globalThis;
    const wake = () => {
      this.#line.wake();
      this.#outbox.kick();
    };
    const on = globalThis.addEventListener?.bind(globalThis);
    on?.("online", wake, { signal });
    // A page that the browser keeps, to come back to it, holds no line that others could use.
    on?.("pagehide", () => this.#rest(), { signal });
    on?.("pageshow", ({ persisted }) => persisted && this.#goOn(), { signal });
    on?.("offline", () => this.#line.offline(), { signal });
    document?.addEventListener(
      "visibilitychange",
      () => {
        if (document.visibilityState === "visible") wake();
        else this.#keep?.flush();
      },
      { signal },
    );
  }

  #rest(): void {
    this.#keep?.flush();
    this.#line.close();
  }

  #goOn(): void {
    this.#line = this.#newLine();
    this.#line.start();
    this.#outbox.kick();
  }

  readonly #receiver: TabReceiver = {
    cursor: () => this.#store.replica?.cursor ?? null,
    held: () => this.#store.replica?.intentions.length ?? 0,
    group: (group) => {
      if (judge(this.#store.replica, group) === "gap") this.#line.gap();
      else this.#dispatch({ type: "group", group, at: new Date().toISOString() });
    },
    state: (state) => {
      // Of a tab that holds less: what is loaded here stays, and is asked for.
      const isLess = state.hasMore && (state.intentions?.length ?? 0) < this.#receiver.held();
      if (isLess && !isKnown(this.#store.replica, state)) void this.refresh();
      else this.#dispatch({ type: "state", state });
    },
    beat: (version) => {
      const { replica } = this.#store;
      if (version !== null && replica && version > replica.version) this.#line.gap();
    },
    line: (mode, fault) => {
      this.#dispatch({ type: "line", mode, fault });
      if (mode !== "cache") this.#outbox.kick();
    },
    whole: () => {
      const { replica } = this.#store;
      if (!replica) return null;
      const { version, cursor, timestamp, beings, intentions, hasMore } = replica;
      return {
        spaceId: this.spaceId,
        version,
        cursor,
        timestamp,
        beings: [...beings],
        intentions: [...intentions],
        hasMore,
      };
    },
  };

  #dispatch(action: StoreAction): void {
    const before = this.#store;
    this.#store = reduce(before, action);
    const { replica } = this.#store;
    if (replica && replica !== before.replica) {
      remember(before.replica, replica);
      if (this.#line.leads) this.#keep?.save(replica);
    }
    const shown = this.#snapshot;
    this.#snapshot = show(this.#store, shown);
    if (this.#snapshot === shown) return;
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        // Its fault, and nobody else's: not of the other listeners, nor of the change that it is told of.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  getSnapshot = (): SpaceSnapshot => this.#snapshot;

  getBeing = (id: string): Being | undefined => find(this.#snapshot.beings, id);

  getIntention = (id: string): Intention | undefined => find(this.#snapshot.intentions, id);

  refresh = async (): Promise<void> => {
    const { cursor, held } = this.#receiver;
    try {
      const state = await this.#api.state(this.spaceId, held(), cursor(), this.#closing.signal);
      if (state) this.#dispatch({ type: "state", state });
    } catch (error) {
      this.#fail(error);
    }
  };

  loadOlder = (): Promise<boolean> => {
    this.#olderPage ??= this.#loadOlder().finally(() => {
      this.#olderPage = undefined;
    });
    return this.#olderPage;
  };

  async #loadOlder(): Promise<boolean> {
    const { replica } = this.#store;
    if (!replica?.hasMore) return false;
    this.#dispatch({ type: "await-older" });
    const { spaceId } = this;
    const before = replica.intentions[0]?.messageId;
    try {
      const question = { action: "list", spaceId, limit: LIMITS.page, before };
      const answer = await this.#api.post<Intention[]>("intentions", question, this.#closing.signal);
      // A page of big messages has fewer. A relay of the version before does not say.
      const { data: page, hasMore = page.length === LIMITS.page } = answer;
      this.#dispatch({ type: "older", page, hasMore, window: replica.window });
    } catch (error) {
      this.#dispatch({ type: "no-older" });
      // The oldest message was deleted a moment ago, and the event is on its way.
      if (error instanceof SpacefeedError && error.code === "not_found") await this.refresh();
      else this.#fail(error);
    }
    return this.#store.replica?.hasMore ?? false;
  }

  createBeing = ({ id = newId(), ...fields }: BeingFields = {}): Promise<Being> =>
    this.#change<Being>({ kind: "being", action: "create", id, fields });

  updateBeing = (id: string, fields: Omit<BeingFields, "id">): Promise<Being> =>
    this.#change<Being>({ kind: "being", action: "update", id, fields });

  deleteBeing = (id: string): Promise<Being> =>
    this.#change<Being>({ kind: "being", action: "delete", id, fields: {} });

  createIntention = ({ id = newId(), ...fields }: IntentionFields = {}): Promise<Intention> =>
    this.#change<Intention>({ kind: "intention", action: "create", id, fields });

  updateIntention = (id: string, fields: Omit<IntentionFields, "id">): Promise<Intention> =>
    this.#change<Intention>({ kind: "intention", action: "update", id, fields });

  deleteIntention = (id: string): Promise<Intention> =>
    this.#change<Intention>({ kind: "intention", action: "delete", id, fields: {} });

  #change<Row>(change: { kind: Mutation["kind"]; action: Mutation["action"]; id: string; fields: object }) {
    const mutation = { ...change, key: newId(), at: new Date().toISOString() } as Mutation;
    return this.#send(mutation, false) as Promise<Row>;
  }

  #send(mutation: Mutation, isRetry: boolean): Promise<Being | Intention> {
    const isClosed = this.#closing.signal.aborted;
    if (!isClosed) this.#dispatch({ type: "mutate", mutation });
    const stored = isClosed ? Promise.reject(closed()) : this.#outbox.add(mutation, isRetry);
    stored.catch(() => {}); // whoever does not wait for it sees it in the snapshot
    return stored;
  }

  dismissError = (): void => this.#dispatch({ type: "dismiss" });

  close = (): void => {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#listeners.clear();
    this.#line.close();
    this.#outbox.close();
    this.#keep?.close();
  };

  #fail(error: unknown): void {
    if (!this.#closing.signal.aborted) this.#dispatch({ type: "failed", reason: troubleOf(error) });
  }
}

const closed = () =>
  new SpacefeedError("unavailable", "not sent: the client is closed; changes need one that is open");

// Made once for each list, when somebody asks.
const indexes = new WeakMap<readonly object[], ReadonlyMap<string, unknown>>();

function find<T extends { id: string }>(list: readonly T[], id: string): T | undefined {
  let index = indexes.get(list);
  if (!index) {
    index = new Map(list.map((entity) => [entity.id, entity]));
    indexes.set(list, index);
  }
  return index.get(id) as T | undefined;
}
