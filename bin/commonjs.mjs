// For the package only: the client's rooms once more, as CommonJS, for Jest and for TypeScript that compiles to it.
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = join(root, "dist/commonjs");
rmSync(out, { recursive: true, force: true });
const tsc = [join(root, "node_modules/typescript/bin/tsc"), "-p", join(root, "src/tsconfig.commonjs.json")];
const { status } = spawnSync(process.execPath, tsc, { stdio: "inherit" });
if (status !== 0) process.exit(status ?? 1);
// Of the files below it, the nearest package.json says what they are.
writeFileSync(join(out, "package.json"), '{ "type": "commonjs" }\n');
