import type { Mode } from "../client/index.js";

const WORDS: Record<Mode | "connecting", { mark: string; name: string; says: string }> = {
  connecting: { mark: "○", name: "Connecting", says: "Looking for the server" },
  realtime: { mark: "●", name: "Realtime", says: "Each change shows at its commit" },
  polling: { mark: "◐", name: "Polling", says: "The live stream is away: looking every 5 seconds" },
  cache: { mark: "○", name: "Offline", says: "Showing saved messages; what you write is sent later" },
};

/** How the data comes, in words and with a mark that does without colour. */
export function ConnectionStatus({ mode, error }: { mode: Mode; error: string | null }) {
  // At first there is no line yet, and nothing is wrong with it.
  const shown = mode === "cache" && error === null ? "connecting" : mode;
  const { mark, name, says } = WORDS[shown];
  return (
    <p
      className="status"
      role="status"
      data-mode={shown}
      title={shown === "realtime" ? says : (error ?? says)}
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
