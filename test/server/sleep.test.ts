import { expect, test } from "vitest";
import { IDLE, type SleepEffect, type SleepEvent, type SleepState, step } from "../../src/server/sleep.js";

type At = SleepState["at"];
type Cell = readonly [next: At, ...effects: SleepEffect[]];

const CLOSES: Cell = ["closed", "stop"];
const FAILS: Cell = ["away", "retry later"];

/** Every state, and every event in it. "-": nothing changes, and nothing is done. */
const TABLE: Record<At, Record<SleepEvent, Cell | "-">> = {
  idle: {
    start: ["nodding", "say asleep"],
    registered: "-",
    "registered anew": "-",
    drawn: "-",
    polled: "-",
    quiet: "-",
    passed: "-",
    busy: "-",
    "poll-due": "-",
    "life-due": "-",
    failed: "-",
    "retry-due": "-",
    close: CLOSES,
  },
  nodding: {
    start: "-",
    registered: ["nodding", "draw"],
    "registered anew": ["nodding", "draw"],
    drawn: ["dozing", "poll"],
    polled: "-",
    quiet: "-",
    passed: "-",
    busy: "-",
    "poll-due": "-",
    "life-due": "-",
    failed: FAILS,
    "retry-due": "-",
    close: CLOSES,
  },
  dozing: {
    start: "-",
    registered: "-",
    "registered anew": ["nodding", "draw"],
    drawn: "-",
    polled: ["dozing", "poll later"],
    quiet: ["dozing", "poll later"],
    passed: ["asleep", "forget"],
    busy: ["waking", "say awake"],
    "poll-due": ["dozing", "poll"],
    "life-due": ["dozing", "say asleep"],
    failed: FAILS,
    "retry-due": "-",
    close: CLOSES,
  },
  asleep: {
    start: "-",
    registered: "-",
    "registered anew": ["nodding", "draw"],
    drawn: "-",
    polled: "-",
    quiet: "-",
    passed: "-",
    busy: ["waking", "say awake"],
    "poll-due": "-",
    "life-due": ["asleep", "say asleep"],
    failed: FAILS,
    "retry-due": "-",
    close: CLOSES,
  },
  waking: {
    start: "-",
    registered: ["awake", "poll"],
    "registered anew": ["awake", "forget", "poll"],
    drawn: "-",
    polled: "-",
    quiet: "-",
    passed: "-",
    busy: "-",
    "poll-due": "-",
    "life-due": "-",
    failed: FAILS,
    "retry-due": "-",
    close: CLOSES,
  },
  awake: {
    start: "-",
    registered: "-",
    "registered anew": "-",
    drawn: "-",
    polled: ["awake", "poll later"],
    quiet: ["nodding", "say asleep"],
    passed: ["awake", "poll later"],
    busy: "-",
    "poll-due": ["awake", "poll"],
    "life-due": ["awake", "say awake"],
    failed: FAILS,
    "retry-due": "-",
    close: CLOSES,
  },
  away: {
    start: "-",
    registered: "-",
    "registered anew": "-",
    drawn: "-",
    polled: "-",
    quiet: "-",
    passed: "-",
    busy: "-",
    "poll-due": "-",
    "life-due": "-",
    failed: "-",
    "retry-due": ["nodding", "forget", "say asleep"],
    close: CLOSES,
  },
  closed: {
    start: "-",
    registered: "-",
    "registered anew": "-",
    drawn: "-",
    polled: "-",
    quiet: "-",
    passed: "-",
    busy: "-",
    "poll-due": "-",
    "life-due": "-",
    failed: "-",
    "retry-due": "-",
    close: "-",
  },
};

const STATES = Object.keys(TABLE) as At[];
const EVENTS = Object.keys(TABLE.idle) as SleepEvent[];
const cells = STATES.flatMap((at) => EVENTS.map((event) => [at, event] as const));

test.for(cells)("P12: %s, on %s: as the table says", ([at, event]) => {
  const cell = TABLE[at][event];
  const before = Object.freeze({ at });
  const [next, ...effects] = cell === "-" ? [at] : cell;
  expect(step(before, event)).toEqual([{ at: next }, effects]);
});

test("P12: where nothing is under way, something always comes to change that", () => {
  // A query or a timer; asleep, notifications and signs of life; idle and closed are not meant to go on.
  const goesOn = (effects: SleepEffect[]) => effects.some((effect) => effect !== "forget");
  for (const at of STATES) {
    for (const event of EVENTS) {
      const [next, effects] = step({ at }, event);
      if (next.at !== at && next.at !== "asleep")
        expect([at, event, goesOn(effects)]).toEqual([at, event, true]);
    }
  }
  for (const at of ["dozing", "awake"] as const) {
    for (const event of ["polled", "quiet", "passed"] as const) {
      const [next, effects] = step({ at }, event);
      expect(next.at === "asleep" || effects.length === 1, `${at}, ${event}`).toBe(true);
    }
  }
  expect(step(IDLE, "start")[1]).toEqual(["say asleep"]);
});

test("P12: it relies on notifications only after it has said so, drawn an xid, and polled past it", () => {
  // Every way into "asleep", three steps back.
  const ways = cells.filter(([at, event]) => at !== "asleep" && step({ at }, event)[0].at === "asleep");
  expect(ways).toEqual([["dozing", "passed"]]);
  const toDozing = cells.filter(([at, event]) => at !== "dozing" && step({ at }, event)[0].at === "dozing");
  expect(toDozing).toEqual([["nodding", "drawn"]]);
  const draws = cells.filter(([at, event]) => step({ at }, event)[1].includes("draw"));
  expect(draws.every(([, event]) => event === "registered" || event === "registered anew")).toBe(true);
});
