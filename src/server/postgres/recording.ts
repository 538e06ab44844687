/*
 * Who records, as a pure state machine. While all relays sleep, each commit records itself and notifies; while one is
 * awake it records for everybody, and commits do neither (P12). Both at once is always right, neither is never.
 *
 *                           refused
 *            ┌──── asking ──────────▶ standby ──┐ ask-due
 *      idle ─┘ start  │ ▲◀──────────────────────┘
 *                     │ └────────────── overlooked ──────────┐
 *                     │ locked                               │
 *                     ▼              passed                  │
 *                  settling ──────────────────────────▶  asleep
 *                   │    ▲                                   │ busy
 *              busy │    │ quiet             locked          ▼     refused
 *                   ▼    │               ┌────────────── rousing ──────────▶ standby
 *                  waking ── said ─▶ awake     waking ◀──┘
 *
 *      any but idle and closed ── failed ──▶ away ── retry-due ──▶ asking          any ── close ──▶ closed
 *
 * asking   for the lock of the recorder: one relay has it.
 * standby  another one has it; asks again, should that one be gone.
 * settling has the lock and says that it does not record for everybody (any more). Then it draws an xid, and records on
 *          until all with a lower one have ended: those may have left their notes to it. It takes as long as the longest
 *          open write, wherever in the cluster.
 * asleep   gave the lock back. It records what is left to it: by a writer that must not record, or found another one at it.
 * rousing  there are many notifications: asks for the lock, to be awake.
 * waking   says that it records for everybody.
 * away     the database is; begins anew, and its first recording looks at all notes.
 *
 * "overlooked" is for a relay that commits have not notified for a while, since none gave a sign of life. What is not in
 * the table changes nothing.
 */
export interface RecordingState {
  readonly at:
    | "idle"
    | "asking"
    | "standby"
    | "settling"
    | "asleep"
    | "rousing"
    | "waking"
    | "awake"
    | "away"
    | "closed";
}

export type RecordingEvent =
  | "start"
  | "locked"
  | "refused"
  /** What was said is committed. */
  | "said"
  /** The same, and until then commits need not have notified. */
  | "overlooked"
  | "drawn"
  | "recorded"
  /** Recorded, and there has been nothing for a while. */
  | "quiet"
  /** Recorded, and every transaction below the xid that was drawn had ended. */
  | "passed"
  /** Recorded, and others were recording some of the spaces. */
  | "unfinished"
  /** Many notifications. */
  | "busy"
  /** Notes were left to the relays. */
  | "left"
  | "record-due"
  | "life-due"
  | "ask-due"
  | "failed"
  | "retry-due"
  | "close";

/** All but the timers are carried out one after another, in the order in which they are given. */
export type RecordingEffect =
  | "ask"
  | "ask later"
  | "free"
  | "say here"
  | "say asleep"
  | "say awake"
  | "draw"
  | "record"
  | "record later"
  /** What was seen is no base any more. */
  | "forget"
  | "retry later"
  | "stop";

export const IDLE: RecordingState = { at: "idle" };

export function step(state: RecordingState, event: RecordingEvent): [RecordingState, RecordingEffect[]] {
  const { at } = state;
  if (at === "closed") return [state, []];
  if (event === "close") return [{ at: "closed" }, ["stop"]];
  if (event === "failed") {
    return at === "idle" || at === "away" ? [state, []] : [{ at: "away" }, ["retry later"]];
  }
  const isRecorded = event === "recorded" || event === "quiet" || event === "unfinished";
  switch (at) {
    case "idle":
      return event === "start" ? [{ at: "asking" }, ["ask"]] : [state, []];
    case "asking":
      if (event === "locked") return [{ at: "settling" }, ["say asleep", "draw"]];
      return event === "refused" ? [{ at: "standby" }, ["say here", "ask later"]] : [state, []];
    case "standby":
      if (event === "ask-due") return [{ at: "asking" }, ["ask"]];
      if (event === "left") return [state, ["record"]];
      return event === "life-due" ? [state, ["say here"]] : [state, []];
    case "settling":
      if (event === "drawn" || event === "record-due") return [state, ["record"]];
      if (isRecorded) return [state, ["record later"]];
      if (event === "passed") return [{ at: "asleep" }, ["free", "forget", "record later"]];
      if (event === "life-due") return [state, ["say asleep"]];
      return event === "busy" ? [{ at: "waking" }, ["say awake"]] : [state, []];
    case "asleep":
      if (event === "busy") return [{ at: "rousing" }, ["ask"]];
      if (event === "overlooked") return [{ at: "asking" }, ["ask"]];
      if (event === "left" || event === "record-due") return [state, ["record"]];
      if (event === "unfinished") return [state, ["record later"]];
      return event === "life-due" ? [state, ["say here"]] : [state, []];
    case "rousing":
      if (event === "locked") return [{ at: "waking" }, ["say awake"]];
      return event === "refused" ? [{ at: "standby" }, ["ask later"]] : [state, []];
    case "waking":
      return event === "said" || event === "overlooked" ? [{ at: "awake" }, ["record"]] : [state, []];
    case "awake":
      if (event === "quiet") return [{ at: "settling" }, ["say asleep", "draw"]];
      if (isRecorded || event === "passed") return [state, ["record later"]];
      if (event === "record-due") return [state, ["record"]];
      return event === "life-due" ? [state, ["say awake"]] : [state, []];
    case "away":
      return event === "retry-due" ? [{ at: "asking" }, ["forget", "ask"]] : [state, []];
  }
}
