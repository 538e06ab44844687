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
if (timeOf(installed) < timeOf(join(root, "package-lock.json"))) {
  run("Installing the dependencies (npm ci) ...", "npm", ["ci", "--no-audit", "--no-fund"]);
}
// tsc has one file a room that says what it has built, and leaves it alone when only a style has changed.
const rooms = ["protocol", "embedded", "server", "client", "react", "devtools", "demo"];
if (rooms.some((room) => timeOf(join(root, `dist/.${room}.tsbuildinfo`)) < newest(room, /\.(tsx?|json)$/))) {
  run("Building (tsc -b src) ...", process.execPath, [
    join(root, "node_modules/typescript/bin/tsc"),
    "-b",
    "src",
  ]);
}
const page = join(root, "dist/demo-page/index.html");
if (
  timeOf(page) <
  Math.max(...rooms.filter((room) => room !== "server" && room !== "embedded").map((room) => newest(room)))
) {
  const vite = [join(root, "node_modules/vite/bin/vite.js"), "build", "src/demo", "--logLevel", "warn"];
  run("Building the demo page (vite build src/demo) ...", process.execPath, vite);
}

/** When a file was changed last; 0 if there is none. */
function timeOf(file) {
  return existsSync(file) ? statSync(file).mtimeMs : 0;
}

/** When the sources of a room were changed last. */
function newest(room, pattern = /./) {
  return Math.max(
    ...readdirSync(join(root, "src", room), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && pattern.test(entry.name))
      .map((entry) => timeOf(join(entry.parentPath, entry.name))),
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
