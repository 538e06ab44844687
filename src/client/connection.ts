import type { Mode } from "./snapshot.js";

/*
 * The connection to the relay, as a pure state machine. A stream is the best that there is; while there is none, the
 * state is polled, and the stream is tried again with growing pauses ("trying": an attempt is under way).
 *
 *               alive
 *      opening ────────────▶ realtime ◀────────┐
 *         │ lost        lost, │                │ alive
 *         │          gap upon │                │
 *         │               gap ▼                │
 *         └─────────────▶ polling (trying?) ───┤
 *                       polled ▲ │ poll-failed │
 *                              │ ▼             │
 *                         cache (trying?) ─────┘
 *
 *      any ── close ──▶ closed
 *
 * "lost" is every end of a stream or of an attempt: refused, cut, ended, silent for too long, browser offline.
 * What is not in the table changes nothing: a timer or an answer that came too late.
 */
export interface ConnectionState {
  readonly at: "opening" | "realtime" | "polling" | "cache" | "closed";
  /** In polling and cache: an attempt to open a stream is under way. */
  readonly trying: boolean;
  /** Streams that were lost since the last one that was steady. */
  readonly losses: number;
  /** A stream was reopened because of a gap, and none has been steady since. */
  readonly hadGap: boolean;
}

export type ConnectionEvent =
  /** The first bytes of a stream are here. */
  | "alive"
  /** The stream has lived for a while. */
  | "steady"
  | "lost"
  /** A group did not fit: the stream has to begin again from our cursor. */
  | "gap"
  | "polled"
  | "poll-failed"
  | "retry-due"
  | "poll-due"
  /** The browser is online again, or the page is looked at again. */
  | "wake"
  | "close";

export type ConnectionEffect =
  | "open stream"
  | "close stream"
  | "retry later"
  | "poll"
  | "poll later"
  /** No poll now or later, and one that is under way does not count. */
  | "stop polling"
  | "steady later";

/** As it begins: the first stream is being opened. */
export const OPENING: ConnectionState = { at: "opening", trying: false, losses: 0, hadGap: false };

export function step(state: ConnectionState, event: ConnectionEvent): [ConnectionState, ConnectionEffect[]] {
  const { at, trying } = state;
  const oneMoreLoss = state.losses + 1;
  const waits = (at === "polling" || at === "cache") && !trying;
  if (at === "closed") return [state, []];
  switch (event) {
    case "alive":
      if (at !== "opening" && !trying) return [state, []];
      return [{ ...state, at: "realtime", trying: false }, ["stop polling", "steady later"]];
    case "steady":
      return at === "realtime" ? [{ ...state, losses: 0, hadGap: false }, []] : [state, []];
    case "lost":
      if (at === "opening" || at === "realtime") {
        return [{ ...state, at: "polling", losses: oneMoreLoss }, ["close stream", "poll", "retry later"]];
      }
      if (!trying) return [state, []];
      return [{ ...state, trying: false, losses: oneMoreLoss }, ["close stream", "retry later"]];
    case "gap":
      if (at !== "realtime") return [state, []];
      // Gap upon gap: no hot loop, and a poll brings the whole state.
      if (state.hadGap) return step(state, "lost");
      return [{ ...state, hadGap: true }, ["open stream", "steady later"]];
    case "polled":
      if (at === "polling") return [state, ["poll later"]];
      if (at !== "cache") return [state, []];
      // The relay is back: no reason to wait for the stream.
      return [
        { ...state, at: "polling", trying: true },
        trying ? ["poll later"] : ["poll later", "open stream"],
      ];
    case "poll-failed":
      return at === "polling" || at === "cache" ? [{ ...state, at: "cache" }, ["poll later"]] : [state, []];
    case "retry-due":
      return waits ? [{ ...state, trying: true }, ["open stream"]] : [state, []];
    case "poll-due":
      return at === "polling" || at === "cache" ? [state, ["poll"]] : [state, []];
    case "wake":
      return waits ? [{ ...state, trying: true }, ["open stream", "poll"]] : [state, []];
    case "close":
      return [{ ...state, at: "closed", trying: false }, ["close stream", "stop polling"]];
  }
}

/** What is shown of the state. */
export function modeOf({ at }: ConnectionState): Mode {
  return at === "realtime" || at === "polling" ? at : "cache";
}

/** Milliseconds until the next attempt: longer each time, and spread, so that clients do not come all at once. */
export function retryDelay(losses: number, random: number): number {
  const most = Math.min(5_000, 1_000 * 2 ** Math.max(0, losses - 1));
  return Math.round(most * (0.2 + 0.8 * random));
}
