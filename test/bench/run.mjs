// npm run bench [-- subject …]: measures, and prints Markdown at the end. Progress goes to stderr, so that
// `npm run --silent bench > figures.md` has the report and nothing else.
// A subject is a file here: it exports run(bench) and returns the sections of the report.

import { machine } from "./support/machine.mjs";
import { markdown } from "./support/markdown.mjs";
import { startServer } from "./support/server.mjs";

const SUBJECTS = ["latency", "bulk", "writers", "waiting", "cache", "dying"];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !SUBJECTS.includes(name));
if (unknown.length > 0) {
  console.error(`bench: no subject "${unknown.join('", "')}"; there are ${SUBJECTS.join(", ")}`);
  process.exit(1);
}

const server = await startServer();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => void server.stop().finally(() => process.exit(130)));
}
try {
  // Before the work, or the load that is shown would be our own.
  const where = await machine(server);
  const sections = [];
  for (const name of wanted.length > 0 ? wanted : SUBJECTS) sections.push(...(await measure(name)));
  process.stdout.write(markdown(where, sections));
} finally {
  await server.stop();
}

/** A database of its own for each subject: what one leaves behind does not slow the next. */
async function measure(name) {
  const { run } = await import(`./${name}.mjs`);
  const started = performance.now();
  const progress = (text) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(0).padStart(4);
    process.stderr.write(`${name} ${seconds} s  ${text}\n`);
  };
  const database = await server.createDatabase();
  try {
    return await run({ database, progress });
  } finally {
    await database.drop();
  }
}
