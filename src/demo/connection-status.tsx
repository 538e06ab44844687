import type { Mode, Problem } from "../client/index.js";

const WORDS: Record<Mode, { mark: string; name: string; says: string }> = {
  opening: { mark: "○", name: "Connecting", says: "Looking for the server" },
  realtime: { mark: "●", name: "Realtime", says: "Each change shows at its commit" },
  polling: { mark: "◐", name: "Polling", says: "The live stream is away: looking every 5 seconds" },
  cache: { mark: "○", name: "Offline", says: "Showing saved messages; what you write is sent later" },
};

/** How the data comes, in words and with a mark that does without colour. */
export function ConnectionStatus({ mode, fault }: { mode: Mode; fault: Problem | null }) {
  // At first there is no connection yet, and nothing is wrong with it.
  const shown = mode === "cache" && fault === null ? "opening" : mode;
  const { mark, name, says } = WORDS[shown];
  return (
    <p
      className="status"
      role="status"
      data-mode={shown}
      title={shown === "realtime" ? says : (fault?.message ?? says)}
    >
      <span className="status-mark" aria-hidden="true">
        {mark}
      </span>
      <span className="status-name">{name}</span>
      <span className={shown === "cache" ? "status-says" : "visually-hidden"}>
        {shown === "cache" ? "– showing saved messages" : `– ${says}`}
      </span>
    </p>
  );
}
