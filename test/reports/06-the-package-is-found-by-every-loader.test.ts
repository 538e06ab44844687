import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";

// What TypeScript, Jest and Next.js make of it, .ci/pack.sh and .ci/next.sh try with the packed packages.
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PAGE = `${ROOT}packages/spacefeed/`;
const ROOMS = ["", "/react", "/protocol", "/devtools"];

beforeAll(() => {
  execFileSync(process.execPath, ["prepack.mjs"], { cwd: PAGE });
}, 120_000);

/** What a script of somebody who has installed the package writes: a package may name itself. */
const run = (cwd: string, script: string, ...options: string[]): unknown =>
  JSON.parse(execFileSync(process.execPath, [...options, "--eval", script], { cwd, encoding: "utf8" }));
const manifest = (folder: string) => JSON.parse(readFileSync(`${folder}package.json`, "utf8"));

const namesOf = (load: string) =>
  `(async () => {
    const names = [];
    for (const room of ${JSON.stringify(ROOMS)}) names.push(Object.keys(await ${load}("spacefeed" + room)).sort());
    console.log(JSON.stringify(names));
  })()`;

test("a loader that knows only CommonJS, such as Jest's, gets all that a module gets", () => {
  const imported = run(PAGE, namesOf("import")) as string[][];
  expect(imported.map((names) => names.length > 0)).toEqual(ROOMS.map(() => true));
  expect(run(PAGE, namesOf("require"), "--no-experimental-require-module")).toEqual(imported);
});

test("whoever requires one part and imports another has the same clients and caches", () => {
  const sameOf = (parts: string[]) => `(async () => {
    const same = [];
    for (const part of ${JSON.stringify(parts)}) {
      const [required, imported] = [require(part), await import(part)];
      same.push(Object.keys(required).every((name) => required[name] === imported[name]));
    }
    console.log(JSON.stringify(same));
  })()`;
  expect(run(PAGE, sameOf(ROOMS.map((room) => `spacefeed${room}`)))).toEqual(ROOMS.map(() => true));
  expect(run(ROOT, sameOf(["spacefeed-server"]))).toEqual([true]);
});

test("a bundler takes the same files for require and import", () => {
  const { exports } = manifest(PAGE);
  for (const room of ROOMS) {
    const conditions = Object.keys(exports[`.${room}`]);
    expect(conditions.indexOf("module"), room).toBeLessThan(conditions.indexOf("require"));
  }
});

test("a server component that requires spacefeed/react is told that it is the page's", () => {
  expect(readFileSync(`${PAGE}dist/react/index.js`, "utf8")).toMatch(/^"use client";\n/);
  expect(readFileSync(`${PAGE}dist/commonjs/react/index.js`, "utf8")).toMatch(
    /^"use strict";\n"use client";\n/,
  );
});

test("the two packages have one version, and of what both need the same", () => {
  const [server, page] = [manifest(ROOT), manifest(PAGE)];
  expect(page.version).toBe(server.version);
  expect({ ...server.devDependencies, ...server.dependencies }).toMatchObject(page.dependencies);
});

test("a page installs what the client, the components and the protocol import, and nothing else", () => {
  const { dependencies } = manifest(PAGE);
  const imported = ["protocol", "client", "react"]
    .map((room) => `${ROOT}src/${room}/`)
    .flatMap((room) => readdirSync(room).map((file) => readFileSync(room + file, "utf8")))
    .flatMap((text) => [...text.matchAll(/\bfrom "([^."][^"]*)"/g)].map(([, name]) => name));
  expect(Object.keys(dependencies).sort()).toEqual(
    [...new Set(imported)].filter((name) => name !== "react").sort(),
  );
});
