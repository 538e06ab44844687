// node test/house/count.mjs [COMMIT]: how large each room is, and who imports whom; of a commit, to compare.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const cwd = fileURLToPath(new URL("../../", import.meta.url));
const git = (...args) => execFileSync("git", args, { cwd, encoding: "utf8", maxBuffer: 1e8 });
const [commit] = process.argv.slice(2);
const listed = commit
  ? git("ls-tree", "-r", "--name-only", commit)
  : git("ls-files", "--cached", "--others", "--exclude-standard");
const files = new Map();
for (const path of new Set(listed.trim().split("\n"))) {
  if (!/^(src|sql|test|docs)\/.*\.(tsx?|mjs|sql|md|css)$|^README\.md$/.test(path)) continue;
  try {
    files.set(path, commit ? git("show", `${commit}:${path}`) : readFileSync(`${cwd}${path}`, "utf8"));
  } catch {} // deleted, and not committed yet
}
const linesOf = (path) => files.get(path).split("\n").length - 1;

/** The files that a file imports; types too. */
function importsOf(path) {
  return [...files.get(path).matchAll(/\bfrom\s+"(\.[^"]+)"/g)]
    .map(([, target]) => normalize(`${dirname(path)}/${target}`).replace(/\.js$/, ""))
    .map((target) => [`${target}.ts`, `${target}.tsx`].find((candidate) => files.has(candidate)))
    .filter(Boolean);
}

/** How many imports deep the deepest file is; the circles on the way count once. */
function floorsOf(paths) {
  const floors = new Map();
  const circles = new Set();
  const floorOf = (path, above) => {
    if (above.includes(path)) {
      circles.add([...above.slice(above.indexOf(path))].sort().join(" "));
      return 0;
    }
    if (!floors.has(path)) {
      const below = importsOf(path).filter((other) => paths.includes(other));
      floors.set(path, 1 + Math.max(0, ...below.map((other) => floorOf(other, [...above, path]))));
    }
    return floors.get(path);
  };
  return { floors: Math.max(0, ...paths.map((path) => floorOf(path, []))), circles: circles.size };
}

const room = (name, test) => {
  const paths = [...files.keys()].filter(test);
  const sizes = paths.map(linesOf).sort((a, b) => a - b);
  const imports = paths.flatMap(importsOf).filter((path) => paths.includes(path)).length;
  const row = { files: sizes.length, lines: sizes.reduce((sum, size) => sum + size, 0) };
  return [
    name,
    { ...row, median: sizes[sizes.length >> 1] ?? 0, most: sizes.at(-1) ?? 0, imports, ...floorsOf(paths) },
  ];
};
const isEmbedded = (path) => /embedded|postmaster/.test(path);
const inside = (folder) => (path) => path.startsWith(folder);
const rooms = [...new Set([...files.keys()].map((path) => /^src\/server\/(\w+)\//.exec(path)?.[1]))]
  .filter(Boolean)
  .sort()
  .map((name) => room(`src/server/${name}`, inside(`src/server/${name}/`)));
console.table(
  Object.fromEntries([
    room("src/server", (path) => inside("src/server/")(path) && !isEmbedded(path)),
    ...rooms,
    room("src/embedded", (path) => inside("src/")(path) && isEmbedded(path)),
    room("src/client, src/react", (path) => /^src\/(client|react)\/.*\.tsx?$/.test(path)),
    room("src/protocol", inside("src/protocol/")),
    room("src/demo", inside("src/demo/")),
    room("sql", (path) => inside("sql/")(path) && !inside("sql/policies/")(path)),
    room("test", inside("test/")),
    room("test/support", inside("test/support/")),
    room("README.md", (path) => path === "README.md"),
    room("docs", inside("docs/")),
  ]),
);
