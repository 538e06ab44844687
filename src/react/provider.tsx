import {
  createContext,
  type ReactNode,
  useContext,
  useInsertionEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import type { SpaceClientOptions } from "../client/index.js";
import { keyOf } from "./shared-client.js";

/** Where the relay is, and how it is asked. */
export type SpacefeedOptions = Omit<SpaceClientOptions, "spaceId" | "initialState">;

export interface SpacefeedProviderProps extends SpacefeedOptions {
  children?: ReactNode;
}

const Defaults = createContext<SpacefeedOptions>({});

/** The options of the provider above. */
export const useDefaults = () => useContext(Defaults);

/**
 * Gives the hooks and components below it their relay. Without one: where the page comes from. One inside
 * another replaces it.
 *
 *     <SpacefeedProvider url="https://sync.example.com" headers={() => ({ Authorization: token() })} tabs={userId} persist>
 *
 * `headers` and `fetch` may be functions written inline: the newest are used, and nothing reconnects. Headers
 * that are an object say who asks: when they change, the spaces are opened anew.
 */
export function SpacefeedProvider({ children, headers, fetch, ...options }: SpacefeedProviderProps) {
  const newest = useRef({ headers, fetch });
  // Before the effects of the components below, which open clients.
  useInsertionEffect(() => {
    newest.current = { headers, fetch };
  });
  const [viaNewest] = useState(() => ({
    headers: () => {
      const { headers } = newest.current;
      return typeof headers === "function" ? headers() : (headers ?? {});
    },
    fetch: (...request: Parameters<typeof globalThis.fetch>) =>
      (newest.current.fetch ?? globalThis.fetch)(...request),
  }));
  const defaults: SpacefeedOptions = {
    ...options,
    ...(headers && { headers: typeof headers === "function" ? viaNewest.headers : headers }),
    ...(fetch && { fetch: viaNewest.fetch }),
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key is what the options say
  const stable = useMemo(() => defaults, [keyOf(defaults)]);
  return <Defaults.Provider value={stable}>{children}</Defaults.Provider>;
}
