// npm run stress -- --minutes 10 --seed 7: the stress test of sleep and wake (P12) for as long as you like, on the
// database of TEST_DATABASE_URL, else the embedded Postgres. Exits with 1 when a version was missed.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { minutes: { type: "string" }, seed: { type: "string" } } });
const root = fileURLToPath(new URL("../../..", import.meta.url));
const vitest = fileURLToPath(new URL("../../../node_modules/vitest/vitest.mjs", import.meta.url));
const child = spawn(process.execPath, [vitest, "run", "test/faults/stress/stress.test.ts"], {
  cwd: root,
  stdio: "inherit",
  env: {
    TEST_DATABASE: "embedded",
    ...process.env,
    STRESS_MINUTES: values.minutes ?? "1",
    ...(values.seed && { STRESS_SEED: values.seed }),
  },
});
child.on("exit", (code, signal) => process.exit(signal ? 1 : code));
