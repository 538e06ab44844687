import { afterAll, beforeAll } from "vitest";

/** What a test file starts before its tests, and closes after them. */
export function useRunning<T extends object>(
  start: () => Promise<T>,
  close: (running: T) => unknown,
): { readonly current: T } {
  let running: T | undefined;
  beforeAll(async () => {
    running = await start();
  });
  afterAll(() => running && close(running));
  return {
    get current() {
      if (!running) throw new Error("it has not started yet");
      return running;
    },
  };
}
