// Fills this package from the repository: the client's rooms as they are built, and once more as CommonJS, for Jest and
// for TypeScript that compiles to it.
import { spawnSync } from "node:child_process";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const here = fileURLToPath(new URL(".", import.meta.url));
run("bin/prepare.mjs");
rmSync(join(root, "dist/commonjs"), { recursive: true, force: true });
run("node_modules/typescript/bin/tsc", "-p", "src/tsconfig.commonjs.json");
// Of the files below it, the nearest package.json says what they are.
writeFileSync(join(root, "dist/commonjs/package.json"), '{ "type": "commonjs" }\n');

for (const folder of ["dist", "src"]) rmSync(join(here, folder), { recursive: true, force: true });
for (const room of ["protocol", "client", "react", "vue", "svelte", "solid", "tanstack-db", "devtools"]) {
  const isForPages = (file) => !/tsconfig.*\.json$/.test(file);
  for (const copy of [`dist/${room}`, `src/${room}`]) {
    cpSync(join(root, copy), join(here, copy), { recursive: true, filter: isForPages });
  }
}
cpSync(join(root, "dist/commonjs"), join(here, "dist/commonjs"), { recursive: true });
cpSync(join(root, "docs/client.md"), join(here, "README.md"));
cpSync(join(root, "LICENSE"), join(here, "LICENSE"));

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
