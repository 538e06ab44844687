import { onTestFinished } from "vitest";

/**
 * Does a step again and again beside the test, until `stop()`, or until the test ends: also one that fails leaves
 * nothing running. Steps are numbered from 1. `stop()` waits for the last one, and rejects with the fault that
 * ended them.
 */
export function keepDoing(step: (n: number) => Promise<unknown>): { stop: () => Promise<void> } {
  let isStopped = false;
  const done = (async () => {
    for (let n = 1; !isStopped; n++) await step(n);
  })();
  const stop = () => {
    isStopped = true;
    return done;
  };
  // Its fault is told by stop(). A test that does not get there has failed already.
  onTestFinished(() => stop().catch(() => {}));
  return { stop };
}
