import fc from "fast-check";
import { expect, test } from "vitest";
import { ModelReader, type Step } from "../support/model/reader.js";
import { ModelServer, type Write } from "../support/model/server.js";

// PROPERTY_MINUTES=2 looks for so long; a failure prints its seed and path.
const MINUTES = Number(process.env.PROPERTY_MINUTES ?? 0);
const LIMIT = MINUTES
  ? { numRuns: 10_000_000, interruptAfterTimeLimit: MINUTES * 60_000 }
  : { numRuns: 1_000, interruptAfterTimeLimit: 20_000 };
const TIMEOUT = MINUTES * 60_000 + 60_000;

const CREATES: Write["verb"][] = ["create", "create", "create", "update", "update", "delete"];
const MOVES: Write["verb"][] = ["move away", "move in"];

const write = (...verbs: Write["verb"][]): fc.Arbitrary<Write> =>
  fc.record({
    kind: fc.constantFrom("intention", "intention", "being", "task"),
    verb: fc.constantFrom(...verbs),
    row: fc.nat({ max: 7 }),
    value: fc.nat({ max: 9 }),
  });
const commit = (...verbs: Write["verb"][]) => ({
  weight: 8,
  arbitrary: fc.record({
    do: fc.constant("commit" as const),
    writes: fc.array(write(...verbs), { minLength: 1, maxLength: 4 }),
  }),
});
const simple = (
  weight: number,
  ...names: ("push" | "hear" | "cut" | "ask older" | "read older" | "hear older" | "reset" | "poll")[]
) => ({
  weight,
  arbitrary: fc.constantFrom(...names).map((name) => ({ do: name }) as Step),
});
const reading: fc.WeightedArbitrary<Step>[] = [
  simple(6, "push"),
  simple(8, "hear"),
  simple(2, "cut", "poll", "poll"),
  { weight: 2, arbitrary: fc.record({ do: fc.constant("hear poll" as const), choice: fc.nat({ max: 3 }) }) },
];
const older = simple(6, "ask older", "read older", "hear older");
const changing: fc.WeightedArbitrary<Step>[] = [
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("mutate" as const), write: write(...CREATES, ...MOVES) }),
  },
  { weight: 5, arbitrary: fc.constantFrom<Step[]>({ do: "store" }, { do: "hear answer" }) },
];
const history = (...steps: fc.WeightedArbitrary<Step>[]) =>
  fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 60, size: "max" });

function live(steps: Step[]): void {
  const reader = new ModelReader(new ModelServer());
  for (const step of steps) {
    reader.take(step);
    expect(reader.difference()).toBeUndefined();
  }
  reader.settle();
  expect(reader.difference()).toBeUndefined();
  expect(reader.leftovers()).toBeUndefined();
}

test("P3, P5: whatever comes in whatever order, a replica has what the database had at its version", {
  timeout: TIMEOUT,
}, () => {
  fc.assert(fc.property(history(commit(...CREATES, ...MOVES), ...reading, older), live), LIMIT);
});

test("P3: the same where writers give messages other times, as long as no older page is on its way", {
  timeout: TIMEOUT,
}, () => {
  fc.assert(fc.property(history(commit(...CREATES, ...MOVES, "retime", "retime"), ...reading), live), LIMIT);
});

test("P11: the same where the database becomes another", { timeout: TIMEOUT }, () => {
  fc.assert(fc.property(history(commit(...CREATES), simple(2, "reset"), ...reading, older), live), LIMIT);
});

test("the client's own changes leave nothing behind, whenever their answers and events come", {
  timeout: TIMEOUT,
}, () => {
  fc.assert(fc.property(history(commit(...CREATES, ...MOVES), ...reading, older, ...changing), live), LIMIT);
});

test("P11: neither do they where the database becomes another", { timeout: TIMEOUT }, () => {
  fc.assert(
    fc.property(
      history(commit(...CREATES, ...MOVES), simple(1, "reset"), ...reading, older, ...changing),
      live,
    ),
    LIMIT,
  );
});

// A limit that is known: a page is of the messages before one, wherever a writer has put that one meanwhile.
test.fails("P3: a writer who gives the oldest message another time while an older page is asked for hides no message", () => {
  const create = (row: number, value: number): Write => ({ kind: "intention", verb: "create", row, value });
  live([
    { do: "commit", writes: [create(3, 1), create(0, 1), create(1, 0), create(4, 1)] },
    { do: "push" },
    { do: "hear" },
    { do: "commit", writes: [{ kind: "intention", verb: "retime", row: 3, value: 0 }] },
    { do: "ask older" },
    { do: "read older" },
    { do: "hear older" },
  ]);
});
