import { createSpaceClient, type SpaceClient, type SpaceClientOptions } from "../client/index.js";

/** Components that move, or that StrictMode mounts twice, are back within this time, and do not reconnect. */
const LINGER_MS = 1_000;

interface Entry {
  readonly client: SpaceClient;
  leases: number;
  closing: ReturnType<typeof setTimeout> | undefined;
}

/** A share in a client. It stays open until the last one has been released, and a moment longer. */
export interface Lease {
  readonly client: SpaceClient;
  release(): void;
}

const entries = new Map<string, Entry>();
const functionIds = new WeakMap<object, number>();
let functions = 0;

/** What tells clients apart: options that say the same have the same key. Functions go by their identity. */
export function keyOf(options: Partial<SpaceClientOptions>): string {
  const { spaceId, url, headers, persist = false, tabs, fetch } = options;
  const said = typeof headers === "object" ? Object.entries(headers).sort() : idOf(headers);
  return JSON.stringify([spaceId, url, said, persist, tabs, idOf(fetch)]);
}

/** Shares the client of these options, which is made when nobody has it. */
export function leaseClient(key: string, options: SpaceClientOptions): Lease {
  const found = entries.get(key);
  const entry = found ?? { client: createSpaceClient(options), leases: 0, closing: undefined };
  if (!found) entries.set(key, entry);
  clearTimeout(entry.closing);
  entry.leases++;

  let isReleased = false;
  const release = () => {
    if (isReleased) return;
    isReleased = true;
    entry.leases--;
    if (entry.leases > 0) return;
    entry.closing = setTimeout(() => {
      entries.delete(key);
      entry.client.close();
    }, LINGER_MS);
  };
  return { client: entry.client, release };
}

/** The client that is open now. Makes none: rendering may happen on a server, or come to nothing. */
export function peekClient(key: string): SpaceClient | undefined {
  return entries.get(key)?.client;
}

function idOf(subject: object | undefined): number | null {
  if (!subject) return null;
  const id = functionIds.get(subject) ?? ++functions;
  functionIds.set(subject, id);
  return id;
}
