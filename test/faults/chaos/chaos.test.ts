import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const RUN = fileURLToPath(new URL("run.mjs", import.meta.url));

// A few seconds of `npm run chaos`, which goes on for as long as anyone likes, with more clients.
test("P3, P4: a short storm loses nothing, and its account says so", { timeout: 600_000 }, async () => {
  const flags = ["--minutes", "0.1", "--clients", "12"];
  const { stdout } = await promisify(execFile)(process.execPath, [RUN, ...flags]);
  expect(stdout).toMatch(/^\| relay: |^\| Postgres: |^\| session |^\| client|^\| slow|^\| disk|^\| pool/m);
  expect(stdout).toMatch(/^\| lost: .* \| 0 \|$/m);
  expect(stdout).toMatch(/^\| objections \| 0 \|$/m);
  expect(
    Number(stdout.match(/^\| events that raw readers got \| ([\d,]+) \|$/m)?.[1]?.replace(",", "")),
  ).toBeGreaterThan(0);
});
