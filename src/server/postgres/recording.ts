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
 * standby  another relay has it; asks again, should that one be gone.
 * settling has the lock and says that it does not record for everybody (any more). Then it draws an xid, and records on
 *          until all with a lower one have ended: those may have left their notes to it. It takes as long as the longest
 *          open write, wherever in the cluster.
 * asleep   gave the lock back. It records what is left to it: by a writer that must not record, or by one that found another session at the space.
 * rousing  there are many notifications: asks for the lock, to be awake.
 * waking   says that it records for everybody.
 * away     the database is; begins anew, and its first recording looks at all notes.
 *
 * said     what was said is committed. overlooked: and until then commits need not have notified, since no relay had
 *          given a sign of life for a while.
 * busy     many notifications.
 * left     notes were left to the relays.
 * recorded, or quiet: nothing was there for a while; or unfinished: there is more, or others were recording some of the
 *          spaces; or passed: every transaction below the xid that was drawn had ended.
 * forget   an effect: what was seen is no base any more.
 */
export type RecordingState = keyof typeof TABLE;

export type RecordingEvent = { [At in RecordingState]: keyof (typeof TABLE)[At] }[RecordingState];

type Cell = { [At in RecordingState]: (typeof TABLE)[At][keyof (typeof TABLE)[At]] }[RecordingState];

type EffectsOf<C> = C extends readonly [unknown, ...infer Effects] ? Effects[number] : never;

/** All but those with "later" are carried out one after another, in the order in which they are given. */
export type RecordingEffect = EffectsOf<Cell>;

const END = { failed: ["away", "retry later"], close: ["closed", "stop"] } as const;

/** What is not here changes nothing. */
const TABLE = {
  idle: { start: ["asking", "ask"], close: END.close },
  asking: {
    locked: ["settling", "say asleep", "draw"],
    refused: ["standby", "say here", "ask later"],
    ...END,
  },
  standby: {
    "ask-due": ["asking", "ask"],
    left: ["standby", "record"],
    "life-due": ["standby", "say here"],
    ...END,
  },
  settling: {
    drawn: ["settling", "record"],
    "record-due": ["settling", "record"],
    recorded: ["settling", "record later"],
    quiet: ["settling", "record later"],
    unfinished: ["settling", "record later"],
    passed: ["asleep", "free", "forget", "record later"],
    "life-due": ["settling", "say asleep"],
    busy: ["waking", "say awake"],
    ...END,
  },
  asleep: {
    busy: ["rousing", "ask"],
    overlooked: ["asking", "ask"],
    left: ["asleep", "record"],
    "record-due": ["asleep", "record"],
    unfinished: ["asleep", "record later"],
    "life-due": ["asleep", "say here"],
    ...END,
  },
  rousing: { locked: ["waking", "say awake"], refused: ["standby", "ask later"], ...END },
  waking: { said: ["awake", "record"], overlooked: ["awake", "record"], ...END },
  awake: {
    quiet: ["settling", "say asleep", "draw"],
    recorded: ["awake", "record later"],
    unfinished: ["awake", "record later"],
    "record-due": ["awake", "record"],
    "life-due": ["awake", "say awake"],
    ...END,
  },
  away: { "retry-due": ["asking", "forget", "ask"], close: END.close },
  closed: {},
} as const;

type Step = readonly [next: RecordingState, ...effects: RecordingEffect[]];

export function step(at: RecordingState, event: RecordingEvent): Step {
  const steps: Partial<Record<RecordingEvent, Step>> = TABLE[at];
  return steps[event] ?? [at];
}
