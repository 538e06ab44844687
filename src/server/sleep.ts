/*
 * Whether a relay sleeps, as a pure state machine. Asleep, it relies on NOTIFY, for which every writer pays;
 * awake, it polls, and writers do not notify (P12). Both at once is always right, neither is never.
 *
 *             start             drawn            passed
 *      idle ────────▶ nodding ───────▶ dozing ──────────▶ asleep
 *                      ▲   ▲             │                  │
 *                quiet │   │ retry-due   │ busy             │ busy
 *                      │  away           ▼                  │
 *                    awake ◀───────── waking ◀──────────────┘
 *                          registered
 *                          (or anew)
 *
 *      dozing, asleep ── registered anew ──▶ nodding
 *      any but idle ── failed ──▶ away ── retry-due ──▶ nodding
 *      any ── close ──▶ closed
 *
 * nodding  tells the writers that it sleeps, and then draws an xid. A writer that has read that nobody sleeps had its
 *          xid before, and so a lower one.
 * dozing   polls until a poll has seen everything below that xid: whoever is left notifies. It takes as long as the
 *          longest open write, wherever in the cluster.
 * waking   tells the writers that it does not sleep. It polls from a snapshot of before that.
 * away     the database is; begins anew, and its first poll looks at everything.
 *
 * "registered anew" is for a relay that writers have not counted as asleep for a while (its row was gone, since it
 * was stopped for a minute): others may have committed without a notification. What is not in the table changes
 * nothing.
 */
export interface SleepState {
  readonly at: "idle" | "nodding" | "dozing" | "asleep" | "waking" | "awake" | "away" | "closed";
}

export type SleepEvent =
  | "start"
  /** What was said is committed, and until then writers have notified this relay. */
  | "registered"
  /** What was said is committed, but until then writers need not have notified. */
  | "registered anew"
  | "drawn"
  | "polled"
  /** Polled, and no poll has found anything for a while. */
  | "quiet"
  /** Polled, and every transaction below the xid that was drawn had ended. */
  | "passed"
  /** Many notifications. */
  | "busy"
  | "poll-due"
  | "life-due"
  | "failed"
  | "retry-due"
  | "close";

/** All but the timers are carried out one after another, in the order in which they are given. */
export type SleepEffect =
  | "say asleep"
  | "say awake"
  | "draw"
  | "poll"
  | "poll later"
  /** What the polls have seen is no base any more: the next one takes it that anything has happened. */
  | "forget"
  | "retry later"
  | "stop";

export const IDLE: SleepState = { at: "idle" };

export function step(state: SleepState, event: SleepEvent): [SleepState, SleepEffect[]] {
  const { at } = state;
  if (at === "closed") return [state, []];
  if (event === "close") return [{ at: "closed" }, ["stop"]];
  if (event === "failed") {
    return at === "idle" || at === "away" ? [state, []] : [{ at: "away" }, ["retry later"]];
  }
  switch (at) {
    case "idle":
      return event === "start" ? [{ at: "nodding" }, ["say asleep"]] : [state, []];
    case "nodding":
      if (event === "registered" || event === "registered anew") return [state, ["draw"]];
      return event === "drawn" ? [{ at: "dozing" }, ["poll"]] : [state, []];
    case "dozing":
      if (event === "passed") return [{ at: "asleep" }, ["forget"]];
      if (event === "polled" || event === "quiet") return [state, ["poll later"]];
      if (event === "poll-due") return [state, ["poll"]];
      if (event === "registered anew") return [{ at: "nodding" }, ["draw"]];
      if (event === "life-due") return [state, ["say asleep"]];
      return event === "busy" ? [{ at: "waking" }, ["say awake"]] : [state, []];
    case "asleep":
      if (event === "registered anew") return [{ at: "nodding" }, ["draw"]];
      if (event === "life-due") return [state, ["say asleep"]];
      return event === "busy" ? [{ at: "waking" }, ["say awake"]] : [state, []];
    case "waking":
      // Anew may be the answer to the sign of life before: what was notified until then is known to nobody.
      if (event === "registered anew") return [{ at: "awake" }, ["forget", "poll"]];
      return event === "registered" ? [{ at: "awake" }, ["poll"]] : [state, []];
    case "awake":
      if (event === "quiet") return [{ at: "nodding" }, ["say asleep"]];
      if (event === "polled" || event === "passed") return [state, ["poll later"]];
      if (event === "poll-due") return [state, ["poll"]];
      return event === "life-due" ? [state, ["say awake"]] : [state, []];
    case "away":
      return event === "retry-due" ? [{ at: "nodding" }, ["forget", "say asleep"]] : [state, []];
  }
}
