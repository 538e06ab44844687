// What a fresh clone lacks: makes `npm start` and `npm test` work alone. Plain JavaScript, no dependencies.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Spacefeed needs Node 20.19 or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

const installed = join(root, "node_modules/.package-lock.json");
if (!existsSync(installed) || isOlder(installed, join(root, "package-lock.json"))) {
  run("Installing the dependencies (npm ci) ...", "npm", ["ci", "--no-audit", "--no-fund"]);
}
const built = join(root, "dist/.tsbuildinfo");
if (!existsSync(built) || newest(join(root, "src")) > statSync(built).mtimeMs) {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  run("Building (tsc -b src) ...", process.execPath, [tsc, "-b", "src"]);
}

function isOlder(file, than) {
  return statSync(file).mtimeMs < statSync(than).mtimeMs;
}

function newest(directory) {
  return Math.max(
    ...readdirSync(directory, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );
}

function run(what, command, args) {
  console.log(what);
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) process.exit(status ?? 1);
}
