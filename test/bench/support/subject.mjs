import { setTimeout as delay } from "node:timers/promises";
import { plotOfData } from "./plot.mjs";

const MINUTE_MS = 60_000;
/** The budget ends the rounds; a subject that takes so many times as long is given up. */
const PATIENCE = 3;
const FULL = 6;

/**
 * Runs a subject with a database of its own: what one leaves behind does not slow the next. Never throws: a
 * failure becomes a section that says so.
 */
export async function measure(name, { server, minutes, runs, quick, full }) {
  const started = performance.now();
  const budgetMs = minutes * MINUTE_MS * (full ? FULL : 1);
  const used = [];
  const progress = (text) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(0).padStart(4);
    process.stderr.write(`${name} ${seconds} s  ${text}\n`);
  };
  const bench = {
    server,
    progress,
    runs,
    quick,
    full,
    /** Stops it when the subject ends, however it ends. */
    use: (resource) => {
      used.push(resource);
      return resource;
    },
    rounds: () => rounds(runs, started + budgetMs, progress),
  };
  const giveUp = new AbortController();
  try {
    bench.database = await server.createDatabase();
    const { run } = await import(`../${name}.mjs`);
    const late = delay(PATIENCE * budgetMs, undefined, { signal: giveUp.signal }).then(() => {
      throw new Error(`took more than ${PATIENCE} times its ${minutes} minutes`);
    });
    late.catch(() => {});
    const sections = await Promise.race([run(bench), late]);
    return { sections: withPlots(name, sections) };
  } catch (error) {
    progress(`failed: ${error.stack}`);
    const row = [String(error.message).split("\n")[0].replaceAll("|", "\\|")];
    return { failure: true, sections: [{ title: `${name}: failed`, head: ["reason"], rows: [row] }] };
  } finally {
    giveUp.abort();
    for (const resource of used.reverse()) {
      await resource.stop().catch((error) => progress(`while stopping: ${error.message}`));
    }
    await bench.database?.drop().catch((error) => progress(`while dropping: ${error.message}`));
  }
}

/** The plot of docs/figures.md is that of the last section: the slow disk's where there is one. */
function withPlots(name, sections) {
  const withData = sections.filter(({ data, plots }) => data && !plots);
  for (const section of withData) {
    const isLast = section === withData.at(-1);
    section.plots = [plotOfData(section, isLast && name === "writers" ? "bench-writers" : undefined)];
  }
  return sections;
}

/** The numbers of the runs. Ends early where another one would not fit: figures say how many there were. */
function* rounds(count, endsAt, progress) {
  let longest = 0;
  for (let round = 0; round < count; round++) {
    const begun = performance.now();
    yield round;
    longest = Math.max(longest, performance.now() - begun);
    if (round + 1 < count && performance.now() + longest > endsAt) {
      progress(`no time for more: ${round + 1} of ${count} runs`);
      return;
    }
  }
}
