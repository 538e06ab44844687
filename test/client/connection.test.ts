import { expect, test } from "vitest";
import {
  type ConnectionEffect,
  type ConnectionEvent,
  type ConnectionState,
  modeOf,
  OPENING,
  step,
} from "../../src/client/connection.js";

/** The states by their names; "after a gap" is a realtime whose stream was reopened because of one. */
const STATES = {
  opening: { at: "opening", trying: false },
  realtime: { at: "realtime", trying: false, hadGap: false },
  "realtime after a gap": { at: "realtime", trying: false, hadGap: true },
  polling: { at: "polling", trying: false },
  "polling, trying": { at: "polling", trying: true },
  cache: { at: "cache", trying: false },
  "cache, trying": { at: "cache", trying: true },
  closed: { at: "closed", trying: false },
} as const;
type Name = keyof typeof STATES;

const EVENTS = [
  ...(["alive", "steady", "lost", "gap", "polled", "poll-failed"] as const),
  ...(["retry-due", "poll-due", "wake", "close"] as const),
] satisfies ConnectionEvent[];

interface Cell {
  next: Name;
  effects: ConnectionEffect[];
  losses?: "one more" | "none";
  hadGap?: boolean;
}
const to = (next: Name, ...effects: ConnectionEffect[]): Cell => ({ next, effects });
const losing = (next: Name, ...effects: ConnectionEffect[]): Cell => ({ next, effects, losses: "one more" });
const CLOSES = to("closed", "close stream", "stop polling");

/**
 * Every state, and every event in it. "-": nothing changes, and nothing is done. Losses and the gap stay what they
 * were unless a cell says otherwise: a stream that comes back after a gap is "realtime after a gap".
 */
const TABLE: Record<Name, Record<ConnectionEvent, Cell | "-">> = {
  opening: {
    alive: to("realtime", "stop polling", "steady later"),
    steady: "-",
    lost: losing("polling", "close stream", "poll", "retry later"),
    gap: "-",
    polled: "-",
    "poll-failed": "-",
    "retry-due": "-",
    "poll-due": "-",
    wake: "-",
    close: CLOSES,
  },
  realtime: {
    alive: "-",
    steady: { next: "realtime", effects: [], losses: "none", hadGap: false },
    lost: losing("polling", "close stream", "poll", "retry later"),
    gap: { next: "realtime after a gap", effects: ["open stream", "steady later"], hadGap: true },
    polled: "-",
    "poll-failed": "-",
    "retry-due": "-",
    "poll-due": "-",
    wake: "-",
    close: CLOSES,
  },
  "realtime after a gap": {
    alive: "-",
    steady: { next: "realtime", effects: [], losses: "none", hadGap: false },
    lost: losing("polling", "close stream", "poll", "retry later"),
    gap: losing("polling", "close stream", "poll", "retry later"),
    polled: "-",
    "poll-failed": "-",
    "retry-due": "-",
    "poll-due": "-",
    wake: "-",
    close: CLOSES,
  },
  polling: {
    alive: "-",
    steady: "-",
    lost: "-",
    gap: "-",
    polled: to("polling", "poll later"),
    "poll-failed": to("cache", "poll later"),
    "retry-due": to("polling, trying", "open stream"),
    "poll-due": to("polling", "poll"),
    wake: to("polling, trying", "open stream", "poll"),
    close: CLOSES,
  },
  "polling, trying": {
    alive: to("realtime", "stop polling", "steady later"),
    steady: "-",
    lost: losing("polling", "close stream", "retry later"),
    gap: "-",
    polled: to("polling, trying", "poll later"),
    "poll-failed": to("cache, trying", "poll later"),
    "retry-due": "-",
    "poll-due": to("polling, trying", "poll"),
    wake: "-",
    close: CLOSES,
  },
  cache: {
    alive: "-",
    steady: "-",
    lost: "-",
    gap: "-",
    polled: to("polling, trying", "poll later", "open stream"),
    "poll-failed": to("cache", "poll later"),
    "retry-due": to("cache, trying", "open stream"),
    "poll-due": to("cache", "poll"),
    wake: to("cache, trying", "open stream", "poll"),
    close: CLOSES,
  },
  "cache, trying": {
    alive: to("realtime", "stop polling", "steady later"),
    steady: "-",
    lost: losing("cache", "close stream", "retry later"),
    gap: "-",
    polled: to("polling, trying", "poll later"),
    "poll-failed": to("cache, trying", "poll later"),
    "retry-due": "-",
    "poll-due": to("cache, trying", "poll"),
    wake: "-",
    close: CLOSES,
  },
  closed: {
    alive: "-",
    steady: "-",
    lost: "-",
    gap: "-",
    polled: "-",
    "poll-failed": "-",
    "retry-due": "-",
    "poll-due": "-",
    wake: "-",
    close: "-",
  },
};

const NAMES = Object.keys(STATES) as Name[];
const cells = NAMES.flatMap((name) => EVENTS.map((event) => [name, event] as const));

test("the table has a cell for every state and every event, and knows no others", () => {
  // The types say so too; this says it to who reads the result of a run.
  expect(Object.keys(TABLE).sort()).toEqual([...NAMES].sort());
  for (const name of NAMES) expect(Object.keys(TABLE[name]).sort()).toEqual([...EVENTS].sort());
  expect(new Set(NAMES.map((name) => STATES[name].at))).toEqual(
    new Set(["opening", "realtime", "polling", "cache", "closed"]),
  );
});

test.for(cells)("in %s, on %s: as the table says", ([name, event]) => {
  const cell = TABLE[name][event];
  for (const losses of [0, 3]) {
    for (const hadGap of [false, true]) {
      const before: ConnectionState = { losses, hadGap, ...STATES[name] };
      const [after, effects] = step(before, event);
      if (cell === "-") {
        expect([after, effects]).toEqual([before, []]);
        continue;
      }
      expect(effects).toEqual(cell.effects);
      expect(after).toEqual({
        at: STATES[cell.next].at,
        trying: STATES[cell.next].trying,
        hadGap: cell.hadGap ?? before.hadGap,
        losses: cell.losses === "one more" ? losses + 1 : cell.losses === "none" ? 0 : losses,
      });
    }
  }
});

test("a step does not change the state that it is given", () => {
  for (const [name, event] of cells) {
    const state = Object.freeze({ losses: 0, hadGap: false, ...STATES[name] });
    expect(() => step(state, event)).not.toThrow();
  }
});

test("the mode is cache until a stream or a poll has brought something", () => {
  const modes = NAMES.map((name) => [name, modeOf({ losses: 0, hadGap: false, ...STATES[name] })]);
  expect(Object.fromEntries(modes)).toEqual({
    opening: "cache",
    realtime: "realtime",
    "realtime after a gap": "realtime",
    polling: "polling",
    "polling, trying": "polling",
    cache: "cache",
    "cache, trying": "cache",
    closed: "cache",
  });
  expect(modeOf(OPENING)).toBe("cache");
});
