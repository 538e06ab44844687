import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type ConnectionEffect,
  type ConnectionEvent,
  type ConnectionState,
  OPENING,
  retryDelay,
  step,
} from "../../src/client/connection.js";

const EVENTS = [
  ...(["alive", "steady", "lost", "gap", "polled", "poll-failed"] as const),
  ...(["retry-due", "poll-due", "wake", "close"] as const),
] satisfies ConnectionEvent[];

/** Carries out the effects as the transport does, in short: what is open, under way, or due. */
class Simulation {
  state: ConnectionState = OPENING;
  stream = true;
  poll = false;
  readonly due = new Set<"retry" | "poll" | "steady">();

  take(event: ConnectionEvent): ConnectionEffect[] {
    const [state, effects] = step(this.state, event);
    this.state = state;
    for (const effect of effects) this.#carryOut(effect);
    return effects;
  }

  /** Whether the event can happen: a timer fires when it is due, an answer comes when it was asked for. */
  canHappen(event: ConnectionEvent): boolean {
    if (event === "retry-due" || event === "poll-due" || event === "steady") {
      return this.due.has(event === "steady" ? event : event === "retry-due" ? "retry" : "poll");
    }
    if (event === "polled" || event === "poll-failed") return this.poll;
    return (event !== "alive" && event !== "gap") || this.stream;
  }

  /** What the world does of it: a timer that has fired is gone, and so is an answered poll. */
  happen(event: ConnectionEvent): void {
    if (event === "retry-due") this.due.delete("retry");
    if (event === "poll-due") this.due.delete("poll");
    if (event === "steady") this.due.delete("steady");
    if (event === "polled" || event === "poll-failed") this.poll = false;
    this.take(event);
  }

  #carryOut(effect: ConnectionEffect): void {
    if (effect === "open stream") this.stream = true;
    else if (effect === "close stream") this.stream = this.due.delete("steady") && false;
    else if (effect === "poll") this.poll = true;
    else if (effect === "stop polling")
      this.poll = this.due.delete("poll") && this.due.delete("retry") && false;
    else this.due.add(effect.slice(0, effect.indexOf(" ")) as "retry" | "poll" | "steady");
  }
}

const sequence = fc.array(fc.constantFrom(...EVENTS), { maxLength: 60, size: "max" });
const waits = ({ at, trying }: ConnectionState) => (at === "polling" || at === "cache") && !trying;

test("P3: whatever happens, a stream is open or an attempt to open one is due", () => {
  fc.assert(
    fc.property(sequence, (events) => {
      const connection = new Simulation();
      for (const event of events) {
        connection.take(event);
        const { at, trying } = connection.state;
        expect(connection.stream).toBe(at === "opening" || at === "realtime" || trying);
        if (waits(connection.state)) expect(connection.due).toContain("retry");
        if (at === "closed") return;
      }
    }),
    { numRuns: 2_000 },
  );
});

test("without a stream that lives, a poll is under way or due, unless the first attempt is still under way", () => {
  fc.assert(
    fc.property(sequence, (events) => {
      const connection = new Simulation();
      for (const event of events) {
        if (!connection.canHappen(event)) continue;
        connection.happen(event);
        const { at } = connection.state;
        const isAsked = connection.poll || connection.due.has("poll");
        expect(isAsked).toBe(at === "polling" || at === "cache");
        // What makes a stream steady is for the one that is open.
        expect(connection.due.has("steady") && at !== "realtime").toBe(false);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a wait for the stream always ends in another attempt, also after many losses", () => {
  fc.assert(
    fc.property(sequence, fc.nat({ max: 50 }), (events, losses) => {
      const connection = new Simulation();
      for (const event of events)
        if (event !== "close" && connection.canHappen(event)) connection.happen(event);
      for (let n = 0; n < losses; n++) {
        if (waits(connection.state)) connection.happen("retry-due");
        connection.happen("lost");
      }
      if (!waits(connection.state)) return;
      expect(connection.due).toContain("retry");
      expect(connection.take("retry-due")).toContain("open stream");
    }),
  );
});

test("after close nothing is open, due or done, whatever comes too late", () => {
  fc.assert(
    fc.property(sequence, sequence, (before, after) => {
      const connection = new Simulation();
      for (const event of before) connection.take(event);
      connection.take("close");
      expect([connection.stream, connection.poll, connection.due.size]).toEqual([false, false, 0]);
      const { state } = connection;
      for (const event of after) expect(connection.take(event)).toEqual([]);
      expect(connection.state).toBe(state);
    }),
  );
});

test("the pause before an attempt grows to 5 s, is spread, and never nothing", () => {
  const most = [0, 1, 2, 3, 4, 5, 100].map((losses) => retryDelay(losses, 1));
  expect(most).toEqual([1_000, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
  fc.assert(
    fc.property(fc.nat({ max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (losses, random) => {
      const delay = retryDelay(losses, random);
      expect(Number.isInteger(delay)).toBe(true);
      expect(delay).toBeGreaterThanOrEqual(200);
      expect(delay).toBeLessThanOrEqual(5_000);
    }),
  );
});
