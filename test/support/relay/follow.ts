import { isDeepStrictEqual } from "node:util";
import { expect, type TestContext, vi } from "vitest";
import { createSpaceClient, type SpaceClient, type SpaceClientOptions } from "../../../src/client/index.js";
import type { Being, Entity, Intention, SpaceState } from "../../../src/protocol/messages.js";
import type { Relay } from "../../../src/server/relay.js";
import { HttpProxy } from "./http-proxy.js";
import { newSpace } from "./space.js";

/** Nothing here is about how long something takes: a busy machine may take its time. */
export const PATIENTLY = { timeout: 20_000, interval: 50 };

/** Waits until an assertion holds. Unlike expect.poll() also in tests that run beside one another. */
export async function eventually(assertion: () => unknown): Promise<void> {
  await vi.waitFor(assertion, PATIENTLY);
}

/** What a test has opened is closed when the test ends, however it ends. */
export function closing<T extends { close(): unknown }>(
  { onTestFinished }: Pick<TestContext, "onTestFinished">,
  thing: T,
): T {
  onTestFinished(async () => {
    await thing.close();
  });
  return thing;
}

/** A client of a space, closed when its test ends. */
export function follow(
  context: Pick<TestContext, "onTestFinished">,
  options: SpaceClientOptions,
): SpaceClient {
  return closing(context, createSpaceClient({ tabs: false, ...options }));
}

/** A client that is in realtime and has the state of the space. */
export async function followed(
  context: Pick<TestContext, "onTestFinished">,
  options: SpaceClientOptions,
): Promise<SpaceClient> {
  const client = follow(context, options);
  await eventually(() => {
    expect(client.getSnapshot().mode).toBe("realtime");
    expect(client.getSnapshot().data).not.toBeNull();
  });
  return client;
}

/** A client in a space of its own, and the proxy before its relay. */
export async function followedBehindProxy(context: Pick<TestContext, "onTestFinished">, relay: Relay) {
  const spaceId = await newSpace(relay);
  const proxy = closing(context, await HttpProxy.before(relay.url));
  const client = await followed(context, { url: proxy.url, spaceId });
  return { client, proxy, spaceId };
}

/** A space as the database has it: its complete state, from the relay itself. */
export async function stateAt(
  relayUrl: string,
  spaceId: string,
): Promise<{
  version: number;
  cursor: string;
  beings: Being[];
  intentions: Intention[];
  entities: Record<string, Entity[]>;
}> {
  const url = new URL("/api/sync", relayUrl);
  url.searchParams.set("spaceId", spaceId);
  const response = await fetch(url);
  if (!response.ok)
    throw new Error(`the state is not to be had: ${response.status} ${await response.text()}`);
  const state = (await response.json()) as SpaceState;
  const { version, cursor, beings = [], intentions = [], entities = {} } = state;
  return { version, cursor, beings, intentions, entities };
}

/** What a client shows that the database does not have, or the other way round; undefined when they are equal. */
export async function difference(client: SpaceClient, relayUrl: string): Promise<unknown> {
  const { version, beings, intentions, entities } = await stateAt(relayUrl, client.spaceId);
  const shown = client.getSnapshot();
  const { being: _, intention: __, ...tracked } = shown.entities;
  const filled = (lists: object) =>
    Object.fromEntries(Object.entries(lists).filter(([, rows]) => rows.length));
  const pending = [...shown.pendingIds];
  const has = {
    version: shown.data?.version,
    beings: [...shown.beings],
    intentions: [...shown.intentions],
    entities: filled(tracked),
    pending,
  };
  const first = shown.hasMore ? Math.max(0, intentions.length - has.intentions.length) : 0;
  const newest = intentions.slice(first);
  const wanted = { version, beings, intentions: newest, entities: filled(entities), pending: [] };
  return isDeepStrictEqual(has, wanted) ? undefined : { has, wanted };
}

/** Waits until the client shows what the database has. */
export async function expectEqual(client: SpaceClient, relayUrl: string): Promise<void> {
  await eventually(async () => expect(await difference(client, relayUrl)).toBeUndefined());
}
