import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

// A whole Next.js application does it in .ci/next.sh: React's server components take the file that begins so for the page's.
test("a server component imports spacefeed/react, which says that it is the page's", () => {
  execFileSync(process.execPath, ["bin/prepare.mjs"], { cwd: ROOT });
  expect(readFileSync(`${ROOT}dist/react/index.js`, "utf8")).toMatch(/^"use client";\n/);
});
