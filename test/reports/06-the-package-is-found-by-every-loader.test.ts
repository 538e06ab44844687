import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";

// What TypeScript, Jest and Next.js make of it, .ci/pack.sh and .ci/next.sh try with the packed package.
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ROOMS = ["", "/react", "/protocol"];

beforeAll(() => {
  execFileSync(process.execPath, ["bin/prepare.mjs"], { cwd: ROOT });
  execFileSync(process.execPath, ["bin/commonjs.mjs"], { cwd: ROOT });
}, 120_000);

/** What a script of somebody who has installed the package writes: a package may name itself. */
const run = (script: string, ...options: string[]): unknown =>
  JSON.parse(execFileSync(process.execPath, [...options, "--eval", script], { cwd: ROOT, encoding: "utf8" }));

const namesOf = (load: string) =>
  `(async () => {
    const names = [];
    for (const room of ${JSON.stringify(ROOMS)}) names.push(Object.keys(await ${load}("spacefeed" + room)).sort());
    console.log(JSON.stringify(names));
  })()`;

test("a loader that knows only CommonJS, such as Jest's, gets all that a module gets", () => {
  const imported = run(namesOf("import")) as string[][];
  expect(imported.map((names) => names.length > 0)).toEqual([true, true, true]);
  expect(run(namesOf("require"), "--no-experimental-require-module")).toEqual(imported);
});

test("whoever requires one part and imports another has the same clients and caches", () => {
  const script = `(async () => {
    const same = [];
    for (const room of ${JSON.stringify([...ROOMS, "/server"])}) {
      const [required, imported] = [require("spacefeed" + room), await import("spacefeed" + room)];
      same.push(Object.keys(required).every((name) => required[name] === imported[name]));
    }
    console.log(JSON.stringify(same));
  })()`;
  expect(run(script)).toEqual([true, true, true, true]);
});

test("a bundler takes the same files for require and import", () => {
  const { exports } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  for (const room of ROOMS) {
    const conditions = Object.keys(exports[`.${room}`]);
    expect(conditions.indexOf("module"), room).toBeLessThan(conditions.indexOf("require"));
  }
});
