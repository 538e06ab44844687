import { SpacefeedError } from "../protocol/errors.js";
import type { Intention } from "../protocol/messages.js";
import { Api, LIMITS } from "./api.js";
import { type AppLife, watchApp } from "./app-life.js";
import { barrier } from "./barrier.js";
import { remember } from "./cache.js";
import { CLOSED, type SpaceClient, type SpaceClientOptions } from "./client.js";
import type { ContentOf, Entities, RowMap } from "./entities.js";
import { canPersist, inIndexedDb } from "./indexed-db.js";
import type { Member } from "./line.js";
import { type Row, rowOf, rowsOf } from "./lists.js";
import { type Mutation, newId, type Stored } from "./mutation.js";
import { observed } from "./observed.js";
import { Outbox } from "./outbox.js";
import { Persistence } from "./persistence.js";
import { problemOf } from "./problem.js";
import { isKnown, judge } from "./replica.js";
import type { Schemas } from "./schema.js";
import type { SpaceSnapshot } from "./snapshot.js";
import { initialStore, reduce, type SpaceStore, type StoreAction, show } from "./store.js";
import { follow } from "./tabs.js";
import type { News } from "./transport.js";

/**
 * Follows a space, from now on until it is closed. In a page, or in Node with `url`. The type is what the parts of its
 * messages are, `createSpaceClient<string>(…)`, or a map of its rows, `createSpaceClient<{ task: Task }>(…)`. Only
 * `schemas` check that. Options that do not fit are thrown as a SpacefeedError of code `config`.
 */
export function createSpaceClient<Rows extends RowMap<Rows>>(
  options: SpaceClientOptions & { schemas: Schemas<Rows> },
): SpaceClient<ContentOf<Rows>, Rows>;
export function createSpaceClient<Rows extends RowMap<Rows> = Entities>(
  options: SpaceClientOptions,
): SpaceClient<ContentOf<Rows>, Rows>;
export function createSpaceClient<Content>(options: SpaceClientOptions): SpaceClient<Content>;
export function createSpaceClient(options: SpaceClientOptions): SpaceClient {
  return new Space(options) as unknown as SpaceClient;
}

/** Glues the parts of a client together: what the connection brings goes into the store, what changes goes out. */
class Space implements Record<keyof SpaceClient, unknown> {
  readonly spaceId: string;
  readonly #api: Api;
  readonly #connect: () => ReturnType<typeof follow>;
  readonly #outbox: Outbox;
  readonly #persistence: Persistence | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  readonly #observed = () => this.#store;
  readonly #schemas: Schemas | undefined;
  #connection: ReturnType<typeof follow> | undefined;
  #store: SpaceStore;
  #snapshot: SpaceSnapshot;
  #olderPage: Promise<boolean> | undefined;
  #isAsking = false;
  #isBehind = false;

  constructor(options: SpaceClientOptions) {
    const {
      spaceId,
      url = "/",
      headers,
      fetch,
      persist = false,
      tabs = !headers,
      schemas,
      appState,
    } = options;
    this.spaceId = spaceId;
    this.#schemas = schemas;
    this.#store = initialStore(options);
    this.#snapshot = show(this.#store, null, schemas);
    this.#api = new Api({ url, ...(headers && { headers }), ...(fetch && { fetch }) });
    const user = typeof tabs === "string" ? tabs : "";
    const who = [this.#api.address("/"), user];
    if (persist && headers && !user) {
      throw new SpacefeedError(
        "config",
        "persist with headers would show what one user has read to the next one: set tabs to the user's ID",
      );
    }
    const keep = persist === true && canPersist() ? inIndexedDb : persist;
    if (typeof keep === "function")
      this.#persistence = new Persistence(keep(JSON.stringify([...who, spaceId])));
    const isShared = tabs !== false && globalThis.document !== undefined;
    this.#connect = () => follow(this.#api, isShared ? JSON.stringify(who) : null, this.#member());
    this.#outbox = new Outbox(this.#api, spaceId, {
      tell: (action) => this.#dispatch(action),
      changed: (mutations) => this.#persistence?.saveMutations(mutations),
    });
    watchApp(this.#life(), this.#closing.signal, appState);
    void this.#start();
    observed.clients.add(this.#observed);
    observed.tell?.(this.#observed);
  }

  async #start(): Promise<void> {
    if (this.#persistence) {
      // What a server has read is newer.
      const state = this.#store.replica ? null : await this.#persistence.load();
      if (this.#closing.signal.aborted) return;
      if (state) this.#dispatch({ type: "state", state });
      this.#persistence.adoptMutations((mutation) => void this.#send(mutation, true));
    }
    this.#connection ??= this.#connect();
  }

  #life(): AppLife {
    const flush = () => this.#persistence?.flush();
    const wake = () => {
      this.#connection?.wake();
      this.#outbox.retryNow();
    };
    return {
      flush,
      online: wake,
      offline: () => this.#connection?.offline(),
      background: () => {
        flush();
        this.#connection?.close();
      },
      active: () => {
        this.#connection?.close();
        this.#connection = this.#connect();
        this.#outbox.retryNow();
      },
    };
  }

  #member(): Member {
    return {
      spaceId: this.spaceId,
      known: () => this.#store.replica,
      take: (news) => this.#take(news),
      ask: () => void this.#catchUp(),
    };
  }

  #take(news: News): void {
    const { replica } = this.#store;
    if (news.type === "group") {
      if (judge(replica, news.group) === "gap") void this.#catchUp();
      else this.#dispatch({ ...news, at: new Date().toISOString() });
    } else if (news.type === "state") {
      // Of a tab that holds less: what is loaded here stays, and is asked for.
      const { hasMore, intentions = [] } = news.state;
      const isLess = hasMore && intentions.length < (replica?.lists.intention.length ?? 0);
      if (isLess && !isKnown(replica, news.state)) void this.#catchUp();
      else this.#dispatch(news);
    } else {
      this.#dispatch(news);
      if (news.mode !== "cache") this.#outbox.retryNow();
    }
  }

  /** Asks for the state, once more if it was to be asked for meanwhile. Whoever finds that it is still behind asks again. */
  async #catchUp(): Promise<void> {
    this.#isBehind = true;
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#isBehind) {
      this.#isBehind = false;
      await this.#ask().catch(() => {});
    }
    this.#isAsking = false;
  }

  async #ask(): Promise<void> {
    const state = await this.#api.state(this.spaceId, this.#store.replica, this.#closing.signal);
    if (state) this.#dispatch({ type: "state", state });
  }

  #dispatch(action: StoreAction): void {
    const before = this.#store;
    this.#store = reduce(before, action);
    observed.tell?.(this.#observed, action);
    const { replica } = this.#store;
    if (replica && replica !== before.replica) {
      remember(before.replica, replica);
      this.#persistence?.save(replica);
    }
    const shown = this.#snapshot;
    this.#snapshot = show(this.#store, shown, this.#schemas);
    if (this.#snapshot === shown) return;
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        // Its own fault: neither the other listeners nor the change that it is told of fail with it.
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

  getEntities = (type: string): readonly Row[] => rowsOf(this.#snapshot.entities, type);
  getEntity = (type: string, id: string) => rowOf(this.#snapshot.entities, type, id);
  getBeing = (id: string) => this.getEntity("being", id);
  getIntention = (id: string) => this.getEntity("intention", id);

  refresh = async (): Promise<void> => {
    await this.#ask().catch((error) => this.#fail(error));
  };

  waitFor = (version: number, signal?: AbortSignal): Promise<void> =>
    barrier(this.#observed, this.subscribe, version, this.#closing.signal, signal);

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
    const before = replica.lists.intention[0]?.messageId;
    try {
      const question = { action: "list", spaceId, limit: LIMITS.page, before };
      const answer = await this.#api.post<Intention[]>("intentions", question, this.#closing.signal);
      const { data: page, hasMore = false } = answer;
      this.#dispatch({ type: "older", page, hasMore, window: replica.window });
    } catch (error) {
      this.#dispatch({ type: "no-older" });
      // The oldest message was deleted a moment ago, and the event is on its way.
      if (error instanceof SpacefeedError && error.code === "not_found") await this.refresh();
      else this.#fail(error);
    }
    return this.#store.replica?.hasMore ?? false;
  }

  createEntity = (type: string, { id = newId(), ...fields }: Partial<Row> = {}) =>
    this.#change(type, "create", id, fields);
  updateEntity = (type: string, id: string, fields: object) => this.#change(type, "update", id, fields);
  deleteEntity = (type: string, id: string) => this.#change(type, "delete", id, {});
  createBeing = (fields?: object) => this.createEntity("being", fields);
  updateBeing = (id: string, fields: object) => this.updateEntity("being", id, fields);
  deleteBeing = (id: string) => this.deleteEntity("being", id);
  createIntention = (fields?: object) => this.createEntity("intention", fields);
  updateIntention = (id: string, fields: object) => this.updateEntity("intention", id, fields);
  deleteIntention = (id: string) => this.deleteEntity("intention", id);

  #change(kind: string, action: Mutation["action"], id: string, fields: object): Promise<Stored> {
    return this.#send({ kind, action, id, fields, key: newId(), at: new Date().toISOString() }, false);
  }

  #send(mutation: Mutation, isRetry: boolean): Promise<Stored> {
    const isClosed = this.#closing.signal.aborted;
    if (!isClosed) this.#dispatch({ type: "mutate", mutation });
    const stored = isClosed
      ? Promise.reject(new SpacefeedError("unavailable", `not sent: ${CLOSED}`))
      : this.#outbox.add(mutation, isRetry);
    stored.catch(() => {}); // without a handler it is seen in the snapshot
    return stored;
  }

  dismissError = (): void => this.#dispatch({ type: "error", error: null });

  close = (): void => {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#listeners.clear();
    observed.clients.delete(this.#observed);
    observed.tell?.(this.#observed);
    this.#connection?.close();
    this.#outbox.close();
    this.#persistence?.close();
  };

  #fail(error: unknown): void {
    if (!this.#closing.signal.aborted) this.#dispatch({ type: "error", error: problemOf(error) });
  }
}
