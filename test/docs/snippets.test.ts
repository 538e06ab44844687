import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { blocksOf, ROOT } from "./blocks.js";

// Within the repository, where its packages are found.
const folder = `${ROOT}node_modules/.cache/spacefeed-snippets/`;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As much of them as the pages use: they are not among our dependencies. */
const NOT_INSTALLED = `
declare module "@react-native-async-storage/async-storage" {
  const AsyncStorage: {
    getItem(key: string): Promise<string | null>;
    setItem(key: string, value: string): Promise<void>;
  };
  export default AsyncStorage;
}
declare module "expo/fetch" {
  export function fetch(url: string, init?: object): Promise<object>;
}
declare module "react-native" {
  type Status = "active" | "background" | "inactive" | "unknown" | "extension";
  export const AppState: {
    addEventListener(type: "change", listener: (status: Status) => void): { remove(): void };
  };
}
`;
const OPTIONS = {
  target: "es2023",
  lib: ["es2023", "dom", "dom.iterable"],
  types: [],
  module: "nodenext",
  jsx: "react-jsx",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  noEmit: true,
  paths: {
    spacefeed: [`${ROOT}dist/client/index.d.ts`],
    "spacefeed/react": [`${ROOT}dist/react/index.d.ts`],
  },
};

test("every piece of TypeScript in the README and in docs/client.md has the types that the packages say", () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const snippets = ["README.md", "docs/client.md"]
    .flatMap(blocksOf)
    .filter(({ language }) => language === "tsx");
  expect(snippets.length).toBeGreaterThan(5);
  for (const { page, line, text } of snippets) {
    writeFileSync(`${folder}${page.replace("/", "-").replace(".md", "")}-${line}.tsx`, text);
  }
  writeFileSync(`${folder}not-installed.d.ts`, NOT_INSTALLED);
  writeFileSync(`${folder}package.json`, '{ "type": "module" }');
  writeFileSync(`${folder}tsconfig.json`, JSON.stringify({ compilerOptions: OPTIONS }));
  execFileSync(process.execPath, ["bin/prepare.mjs"], { cwd: ROOT });
  let said = "";
  try {
    execFileSync(`${ROOT}node_modules/.bin/tsc`, ["-p", "tsconfig.json"], { cwd: folder, encoding: "utf8" });
  } catch (error) {
    said = (error as { stdout: string }).stdout;
  }
  expect(said).toBe("");
});
