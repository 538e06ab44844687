import type { AppState, SpaceClientOptions } from "./client.js";

/** What a client does as its page, or its app, comes and goes. `flush`: it may be gone in a moment. */
export type AppLife = Record<AppState | "flush", () => void>;

/** Hears of the page, where there is one, and of the app, where somebody tells. */
export function watchApp(life: AppLife, signal: AbortSignal, appState: SpaceClientOptions["appState"]): void {
  const { document, addEventListener } = globalThis;
  const look = () => (document.visibilityState === "visible" ? life.online() : life.flush());
  document?.addEventListener("visibilitychange", look, { signal });
  addEventListener?.("online", life.online, { signal });
  addEventListener?.("offline", life.offline, { signal });
  // A page that the browser keeps, to come back to it, holds no connection that others could use.
  addEventListener?.("pagehide", life.background, { signal });
  addEventListener?.("pageshow", ({ persisted }) => persisted && life.active(), { signal });
  const unwatch = appState?.((what) => signal.aborted || life[what]());
  if (unwatch) signal.addEventListener("abort", unwatch);
}
