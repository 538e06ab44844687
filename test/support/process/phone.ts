import { createContext, runInContext } from "node:vm";
import type { AppState, createSpaceClient, persistIn, SpaceClient } from "../../../src/client/index.js";
import { bundle } from "../browser/bundle.js";

/** An application as React Native runs it, with the client. */
export interface PhoneApp {
  client: SpaceClient;
  /** What the system says of it. */
  tell(what: AppState): void;
  /** Whether it still listens to the system. */
  readonly listens: boolean;
  /** It ends at once, as the system ends it: nothing more is sent or stored. */
  kill(): void;
}

/** Only the beginning of what a URL is elsewhere. */
class PhoneUrl {
  constructor(readonly href: string) {}
  toString = () => this.href;
}

/**
 * Starts it. `storage` outlives it. There is no window, document, location, navigator, crypto, IndexedDB, lock, channel,
 * EventSource, or event of the network.
 */
export async function startApp(
  options: { url: string; spaceId: string },
  storage: Map<string, string>,
): Promise<PhoneApp> {
  let isKilled = false;
  const ended = new AbortController();
  const tells = new Set<(what: AppState) => void>();
  const soon = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
  const alive = {
    fetch: (url: unknown, init: RequestInit) => {
      const signals = init.signal ? [init.signal, ended.signal] : [ended.signal];
      return fetch(String(url), { ...init, signal: AbortSignal.any(signals) });
    },
    AsyncStorage: {
      getItem: async (key: string) => {
        await soon();
        return storage.get(key) ?? null;
      },
      setItem: async (key: string, value: string) => {
        await soon();
        if (!isKilled) storage.set(key, value);
      },
    },
  };
  const timers = { setTimeout, clearTimeout, setInterval, clearInterval, queueMicrotask };
  const context = createContext({
    ...timers,
    fetch: alive.fetch,
    URL: PhoneUrl,
    AbortController,
    TextDecoder,
  });
  runInContext(await bundle(new URL("./phone-app.ts", import.meta.url)), context);
  const app = context as unknown as {
    createSpaceClient: typeof createSpaceClient;
    persistIn: typeof persistIn;
  };
  const client = app.createSpaceClient({
    ...options,
    persist: app.persistIn(alive.AsyncStorage),
    appState: (tell) => {
      tells.add(tell);
      return () => tells.delete(tell);
    },
  });
  return {
    // Objects of another realm equal none of ours.
    client: { ...client, getSnapshot: () => structuredClone(client.getSnapshot()) },
    tell: (what) => {
      for (const tell of tells) tell(what);
    },
    get listens() {
      return tells.size > 0;
    },
    kill: () => {
      isKilled = true;
      ended.abort(new TypeError("killed"));
    },
  };
}
