// The other end of startModule(): a process that answers calls of the bench, and ends when the bench does.

/** Answers each call with what the function of its name returns. */
export function answer(functions) {
  process.on("message", async ({ id, name, argument }) => {
    try {
      process.send({ id, result: await functions[name](argument) });
    } catch (error) {
      process.send?.({ id, error: error.message });
    }
  });
  process.on("disconnect", () => process.exit());
}

/** Microseconds of a clock that all processes of this machine share (CLOCK_MONOTONIC). */
const [seconds, nanoseconds] = process.hrtime();
const OFFSET_US = seconds * 1e6 + nanoseconds / 1e3 - performance.now() * 1e3;
export const nowUs = () => OFFSET_US + performance.now() * 1e3;

/**
 * What a message has at its end: the mark `~`, when it was sent (16 digits) and its number (8 digits). Readers
 * look for nothing else, which is cheap.
 */
export const MARK = 0x7e;
export const MARK_LENGTH = 25;
export const mark = (number) =>
  `~${Math.round(nowUs()).toString().padStart(16, "0")}${number.toString().padStart(8, "0")}`;
