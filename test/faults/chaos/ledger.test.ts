import { beforeEach, expect, test } from "vitest";
import { Ledger, type Outcome } from "./ledger.js";

let ledger: Ledger;
beforeEach(() => {
  ledger = new Ledger();
});

const write = (token: string, outcome: Outcome, rows = 1) =>
  ledger.end(ledger.begin("create", token, "intentions", rows), outcome);
const drop = (token: string, outcome: Outcome) => ledger.end(ledger.begin("delete", token), outcome);
const faultsWith = (rows: Record<string, number>, counters: Record<string, number> = {}) =>
  ledger.faults(new Map(Object.entries(rows)), new Map(Object.entries(counters)));

test("P3: a write that was acknowledged must be there, whole; one that was refused must not; an unknown one may be", () => {
  write("told", "acknowledged", 3);
  write("refused", "refused");
  write("unknown", "unknown", 2);
  expect(faultsWith({ told: 3 })).toEqual([]);
  expect(faultsWith({ told: 3, unknown: 2 })).toEqual([]);
  expect(faultsWith({})).toEqual([expect.stringContaining("acknowledged and lost: told, 0 of 3")]);
  expect(faultsWith({ told: 2 })).toEqual([expect.stringContaining("acknowledged and lost: told, 2 of 3")]);
  expect(faultsWith({ told: 3, refused: 1 })).toEqual([
    expect.stringContaining("refused or deleted, and there: refused"),
  ]);
  expect(faultsWith({ told: 3, unknown: 1 })).toEqual([
    expect.stringContaining("half there: unknown, 1 of 2"),
  ]);
});

test("a write that was deleted must be gone, unless the deletion was refused or is unknown", () => {
  for (const token of ["gone", "kept", "either"]) write(token, "acknowledged");
  drop("gone", "acknowledged");
  drop("kept", "refused");
  drop("either", "unknown");
  expect(faultsWith({ kept: 1 })).toEqual([]);
  expect(faultsWith({ kept: 1, either: 1 })).toEqual([]);
  expect(faultsWith({ kept: 1, gone: 1 })).toEqual([expect.stringContaining("there: gone")]);
  expect(faultsWith({})).toEqual([expect.stringContaining("lost: kept")]);
});

test("after a TRUNCATE what was there or under way may be gone; what is refused is still refused", () => {
  write("before", "acknowledged");
  write("refused", "refused");
  const meanwhile = ledger.begin("create", "meanwhile");
  ledger.truncated(Date.now(), "acknowledged");
  ledger.end(meanwhile, "acknowledged");
  expect(faultsWith({})).toEqual([]);
  expect(faultsWith({ meanwhile: 1 })).toEqual([]);
  expect(faultsWith({ refused: 1 })).toHaveLength(1);
});

test("a TRUNCATE that was refused changes nothing", () => {
  write("before", "acknowledged");
  ledger.truncated(Date.now(), "refused");
  expect(faultsWith({})).toHaveLength(1);
});

test("a row that its writer counts up is at what was acknowledged last, or at what nobody knows of", () => {
  for (const outcome of ["acknowledged", "acknowledged", "refused", "unknown"] as const) {
    ledger.counted("row", ledger.next("row"), outcome);
  }
  expect(faultsWith({}, { row: 2 })).toEqual([]);
  expect(faultsWith({}, { row: 4 })).toEqual([]);
  for (const row of [0, 1, 3, 5]) expect(faultsWith({}, { row })).toHaveLength(1);
});

test("P4: the tokens that nobody may have seen are those of refused creations", () => {
  write("refused", "refused");
  write("unknown", "unknown");
  write("deleted", "acknowledged");
  drop("deleted", "acknowledged");
  expect(ledger.refusedTokens()).toEqual(["refused"]);
});
