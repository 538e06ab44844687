import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Recorded } from "../../../src/server/postgres/functions.js";
import { Quarantine } from "../../../src/server/postgres/quarantine.js";

const NOTHING: Recorded = {
  nowSeen: null,
  filed: 0,
  isMore: false,
  leftBehind: [],
  failed: [],
  reason: null,
};

test("P3: a space that becomes due while all others are looked at is not taken for one that was looked at", async () => {
  const quarantine = new Quarantine();
  quarantine.note({ ...NOTHING, leftBehind: ["late"] });
  const start = performance.now();
  expect(quarantine.notYet(start)).toEqual(["late"]);
  while (!quarantine.isDue(performance.now())) await sleep(1);
  quarantine.note(NOTHING, start); // the recording that left it out has ended
  expect(quarantine.isWaiting).toBe(true);
  quarantine.note(NOTHING, performance.now());
  expect(quarantine.isWaiting).toBe(false);
});
