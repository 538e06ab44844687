/** What keeps a case from being run. */
export class NotRun extends Error {}

/**
 * Runs cases, `atOnce` of them at a time, and prints one line for each, in their order: `pass`, `FAIL` or `not run`, the
 * rule of docs/protocol.md, the promise, the title, and what is wrong. Returns the exit code.
 */
export async function report(cases, atOnce, run) {
  const counts = { pass: 0, FAIL: 0, "not run": 0 };
  const lines = [];
  let next = 0;
  let printed = 0;
  const work = async () => {
    while (next < cases.length) {
      const index = next++;
      const [outcome, why] = await outcomeOf(() => run(cases[index]));
      counts[outcome]++;
      lines[index] = lineOf(cases[index], outcome, why);
      while (lines[printed] !== undefined) console.log(lines[printed++]);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  console.log(`${counts.pass} passed, ${counts.FAIL} failed, ${counts["not run"]} not run`);
  return counts.FAIL > 0 || counts.pass === 0 ? 1 : 0;
}

async function outcomeOf(run) {
  try {
    await run();
    return ["pass"];
  } catch (error) {
    return [error instanceof NotRun ? "not run" : "FAIL", error.message];
  }
}

function lineOf({ rule, promise = "", title }, outcome, why) {
  const head = `${outcome.padEnd(8)} ${rule.padEnd(5)} ${promise.padEnd(4)} ${title}`;
  return why ? `${head}: ${why.replace(/\s*\n\s*/g, " ").slice(0, 1_000)}` : head;
}
