import { expect, test } from "vitest";
import {
  type RecordingEffect,
  type RecordingEvent,
  type RecordingState,
  step,
} from "../../../src/server/postgres/recording.js";

type Cell = readonly [next: RecordingState, ...effects: RecordingEffect[]];

const CLOSE: Record<"close", Cell> = { close: ["closed", "stop"] };
const END = { failed: ["away", "retry later"], ...CLOSE } as const satisfies Record<string, Cell>;

/** Every state, and the events that change something in it. All others change nothing, and nothing is done. */
const TABLE: Record<RecordingState, Partial<Record<RecordingEvent, Cell>>> = {
  idle: { start: ["asking", "ask"], ...CLOSE },
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
  away: { "retry-due": ["asking", "forget", "ask"], ...CLOSE },
  closed: {},
};
const EVENTS: RecordingEvent[] = [
  ...["start", "locked", "refused", "said", "overlooked", "drawn"],
  ...["recorded", "quiet", "passed", "unfinished", "busy", "left"],
  ...["record-due", "life-due", "ask-due", "failed", "retry-due", "close"],
] as RecordingEvent[];
const STATES = Object.keys(TABLE) as RecordingState[];
const effectsOf = (at: RecordingState, event: RecordingEvent) => step(at, event).slice(1);
const cells = STATES.flatMap((at) => EVENTS.map((event) => [at, event] as const));

test.for(cells)("P12: %s, on %s: as the table says", ([at, event]) => {
  expect(step(at, event)).toEqual(TABLE[at][event] ?? [at]);
});

test("P12: where nothing is under way, something always comes to change that", () => {
  const goesOn = (effects: string[]) => effects.some((effect) => effect !== "forget" && effect !== "free");
  for (const [at, event] of cells) {
    const [next, ...effects] = step(at, event);
    if (next !== at) expect([at, event, goesOn(effects)]).toEqual([at, event, true]);
  }
  for (const at of ["settling", "awake"] as const) {
    for (const event of ["recorded", "quiet", "passed", "unfinished"] as const) {
      // What was drawn is forgotten before it is awake.
      if (at === "awake" && event === "passed") continue;
      expect(goesOn(effectsOf(at, event)), `${at}, ${event}`).toBe(true);
    }
  }
  expect(effectsOf("idle", "start")).toEqual(["ask"]);
});

test("P12: it gives the lock back only after it has said that it stops, drawn an xid, and recorded past it", () => {
  const ways = cells.filter(([at, event]) => at !== "asleep" && step(at, event)[0] === "asleep");
  expect(ways).toEqual([["settling", "passed"]]);
  const toSettling = cells.filter(([at, event]) => at !== "settling" && step(at, event)[0] === "settling");
  expect(toSettling.map(([at, event]) => effectsOf(at, event))).toEqual(
    toSettling.map(() => ["say asleep", "draw"]),
  );
});

test("P12: it says that it records only while it has the lock", () => {
  const says = cells.filter(
    ([at, event]) => effectsOf(at, event).includes("say awake") && at !== "awake" && at !== "settling",
  );
  expect(says).toEqual([["rousing", "locked"]]);
});
