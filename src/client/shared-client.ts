import type { SpaceClient, SpaceClientOptions } from "./client.js";
import { rowOf, rowsOf } from "./lists.js";
import type { SpaceSnapshot } from "./snapshot.js";
import { createSpaceClient } from "./space.js";
import { initialStore, show } from "./store.js";

/** Where the relay is, and how it is asked. */
export type SpacefeedOptions = Omit<SpaceClientOptions, "spaceId" | "initialState">;

/** A client that components share. It closes by itself, when nobody subscribes and no change waits. */
export interface SharedSpaceClient<Content = unknown> extends Omit<SpaceClient<Content>, "close"> {
  /** What is known before the client is open, and on a server: the initial state, if there is one. */
  getServerSnapshot(this: void): SpaceSnapshot<Content>;
}

/** What can be done in a space. */
export type SpaceActs<Content = unknown> = Omit<
  SharedSpaceClient<Content>,
  "spaceId" | "subscribe" | `get${string}`
>;

/** What a component sees of a space, and what it can do in it. */
export type LiveSpace<Content = unknown> = Omit<SpaceSnapshot<Content>, "spaceId" | "intentionIds"> &
  SpaceActs<Content>;

/** What resolves when it is done. */
const ACTS =
  "refresh waitFor loadOlder createBeing updateBeing deleteBeing createIntention updateIntention deleteIntention createEntity updateEntity deleteEntity";

/** Components that move, or that StrictMode mounts twice, are back within this time, and do not reconnect. */
const LINGER_MS = 1_000;

interface OpenClient {
  readonly client: SpaceClient;
  users: number;
  closing: ReturnType<typeof setTimeout> | undefined;
}

const open = new Map<string, OpenClient>();
const functionIds = new WeakMap<object, number>();
let functions = 0;

/**
 * What tells clients apart: options that say the same have the same key. Functions that say who asks go by their identity;
 * of the other ones those count that a client was opened with.
 */
export function keyOf(options: Partial<SpaceClientOptions>): string {
  const { spaceId, url, headers, persist, tabs, fetch } = options;
  const said = typeof headers === "object" ? Object.entries(headers).sort() : idOf(headers);
  return JSON.stringify([spaceId, url, said, Boolean(persist), tabs, idOf(fetch)]);
}

function idOf(subject: object | undefined): number | null {
  if (!subject) return null;
  const id = functionIds.get(subject) ?? ++functions;
  functionIds.set(subject, id);
  return id;
}

/** Opens the client of this key, or shares it. It stays open until all have released it, and a moment longer. */
function use(key: string, options: SpaceClientOptions) {
  const used = open.get(key) ?? { client: createSpaceClient(options), users: 0, closing: undefined };
  open.set(key, used);
  clearTimeout(used.closing);
  used.users++;
  let isReleased = false;
  const release = () => {
    if (isReleased) return;
    isReleased = true;
    if (--used.users > 0) return;
    used.closing = setTimeout(() => {
      open.delete(key);
      used.client.close();
    }, LINGER_MS);
  };
  return { client: used.client, release };
}

/**
 * The client of these options, as an object that can be made while rendering, which may happen on a server or come to
 * nothing: it is opened when somebody subscribes, or changes something.
 */
export function shareClient<Content>(options: SpaceClientOptions): SharedSpaceClient<Content> {
  const key = keyOf(options);
  const initial = show(initialStore(options), null, options.schemas);
  const opened = () => open.get(key)?.client;

  /** The client stays open until the answer is there, also when the component has gone by then. */
  const during =
    (act: string) =>
    (...args: unknown[]) => {
      const { client, release } = use(key, options);
      const result = (client[act as keyof SpaceClient] as (...args: unknown[]) => Promise<unknown>)(...args);
      result.then(release, release);
      return result;
    };

  const shared = {
    spaceId: options.spaceId,
    subscribe: (listener: () => void) => {
      const { client, release } = use(key, options);
      const unsubscribe = client.subscribe(listener);
      return () => {
        unsubscribe();
        release();
      };
    },
    getSnapshot: () => opened()?.getSnapshot() ?? initial,
    getServerSnapshot: () => initial,
    getEntities: (type: string) => rowsOf(shared.getSnapshot().entities, type),
    getEntity: (type: string, id: string) => rowOf(shared.getSnapshot().entities, type, id),
    getBeing: (id: string) => shared.getEntity("being", id),
    getIntention: (id: string) => shared.getEntity("intention", id),
    dismissError: () => opened()?.dismissError(),
  };
  const acts = Object.fromEntries(ACTS.split(" ").map((act) => [act, during(act)]));
  return { ...shared, ...acts } as unknown as SharedSpaceClient<Content>;
}

/** The acts of a client, which may be another one at each call. */
export function actsOf<Content>(client: () => SharedSpaceClient<Content>): SpaceActs<Content> {
  const names = [...ACTS.split(" "), "dismissError"] as (keyof SpaceActs)[];
  const act =
    (name: keyof SpaceActs) =>
    (...args: unknown[]) =>
      (client()[name] as (...args: unknown[]) => unknown)(...args);
  return Object.fromEntries(names.map((name) => [name, act(name)])) as unknown as SpaceActs<Content>;
}

/** The parts of a snapshot that a component sees, by name. */
export function partsOf<Content>(snapshot: SpaceSnapshot<Content>) {
  const { spaceId, intentionIds, ...parts } = snapshot;
  return parts;
}
