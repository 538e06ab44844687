// npm run bench [-- --quick | --full] [--runs N] [--plots DIRECTORY] [--report FILE] [subject …]
// Measures, and prints Markdown at the end; test/bench/report.html has the same with plots. Progress goes to stderr,
// so that `npm run --silent bench > figures.md` has the report and nothing else.
// A subject is a file here: it exports run(bench) and returns the sections of the report. One that fails says why
// and the others go on; then the exit code is 1.

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { machine } from "./support/machine.mjs";
import { markdown } from "./support/markdown.mjs";
import { endAll } from "./support/process.mjs";
import { writePlots, writeReport } from "./support/report.mjs";
import { startServer } from "./support/server.mjs";
import { measure } from "./support/subject.mjs";

/** The subjects, and the minutes that each may take; together some 30. */
const SUBJECTS = {
  fanout: 5,
  idle: 3.5,
  storms: 2.5,
  slow: 1.75,
  growth: 2.5,
  growing: 4,
  spaces: 5,
  relays: 1.75,
  latency: 1.5,
  bulk: 2,
  triggers: 4,
  writers: 12,
  recording: 3,
  waiting: 1,
  cache: 0.5,
  dying: 1.5,
};

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    runs: { type: "string" },
    plots: { type: "string" },
    report: { type: "string", default: fileURLToPath(new URL("report.html", import.meta.url)) },
  },
});
const names = Object.keys(SUBJECTS);
const unknown = positionals.filter((name) => !names.includes(name));
if (unknown.length > 0) fail(`no subject "${unknown.join('", "')}"; there are ${names.join(", ")}`);
if (options.runs && !/^[1-9]\d?$/.test(options.runs)) fail(`--runs ${options.runs}: must be 1 to 99`);
const runs = Number(options.runs ?? (options.quick ? 1 : 3));
const wanted = positionals.length > 0 ? positionals : names;

let interrupted = false;
const server = await startServer();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    interrupted = true;
    endAll();
    void server.stop().finally(() => process.exit(130));
  });
}
const failures = [];
// What a subject that was given up still waits for fails later; the others, and Postgres' end, go on.
process.on("unhandledRejection", (error) => process.stderr.write(`bench: afterwards: ${error?.stack}\n`));
try {
  // Before the work, or the load that is shown would be our own.
  const where = (await machine(server)) + (options.quick ? "; --quick: too small to say anything" : "");
  const sections = [];
  for (const name of wanted) {
    if (interrupted) break;
    const { quick, full } = options;
    const result = await measure(name, { server, minutes: SUBJECTS[name], runs, quick, full });
    sections.push(...result.sections);
    if (result.failure) failures.push(name);
  }
  process.stdout.write(markdown(where, sections));
  await writeReport(options.report, where, sections);
  process.stderr.write(`plots are in ${options.report}\n`);
  if (options.plots) {
    for (const file of await writePlots(options.plots, sections)) process.stderr.write(`wrote ${file}\n`);
  }
} finally {
  endAll();
  await server.stop();
}
if (failures.length > 0) fail(`failed: ${failures.join(", ")}`);
// What a failed subject left waiting must not keep the command alive.
process.exit(0);

function fail(reason) {
  console.error(`bench: ${reason}`);
  process.exit(1);
}
