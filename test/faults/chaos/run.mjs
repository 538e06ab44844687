// npm run chaos -- [--minutes 10] [--seed N] [--clients 100] [--storm 60] [--keep]: real processes, real sockets, and
// everything that goes wrong with them; at the end an account as Markdown. Ends with 1 when something was lost.
// The rest is TypeScript, which Vite runs as it is: also in the process of the crowd.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runnerImport } from "vite";

const role = process.argv[2] === "crowd" ? "crowd" : "chaos";
const file = fileURLToPath(new URL(`${role}.ts`, import.meta.url));
const root = fileURLToPath(new URL("../../../", import.meta.url));
const { module } = await runnerImport(file, { configFile: false, root, logLevel: "warn" });

if (role === "crowd") {
  module.serve();
} else {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "1" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
      clients: { type: "string", default: "100" },
      storm: { type: "string", default: "60" },
      keep: { type: "boolean", default: false },
    },
  });
  const { keep, ...numbers } = values;
  const given = Object.entries(numbers).map(([name, text]) => [name, Number(text)]);
  for (const [name, number] of given) {
    if (Number.isFinite(number) && number >= 0) continue;
    console.error(`chaos: --${name} must be a number, and is "${values[name]}"`);
    process.exit(2);
  }
  const { storm: stormSeconds, ...settings } = Object.fromEntries(given);
  process.exit(await module.run({ ...settings, stormSeconds, keep }));
}
