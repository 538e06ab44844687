// node pack-installed.mjs PROJECT PACKAGE: the installed package has what its package.json promises.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const project = resolve(process.argv[2]);
const packageName = process.argv[3];
const root = join(project, "node_modules", packageName);
const { bin = {}, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const faults = [];

for (const [name, target] of Object.entries({ ...exports, bin: Object.values(bin) })) {
  for (const file of Object.values(target)) {
    if (!existsSync(join(root, file))) faults.push(`${name}: there is no ${file}`);
  }
}

// As a module of the project would: by the package's name.
const require = createRequire(join(project, "index.js"));
for (const name of Object.keys(exports)) {
  const specifier = join(packageName, name);
  try {
    const module = await import(pathToFileURL(require.resolve(specifier)).href);
    if (Object.keys(module).length === 0) faults.push(`${specifier} exports nothing`);
    const { require: commonjs } = exports[name];
    const required = commonjs ? require(join(root, commonjs)) : module;
    const lost = Object.keys(module).filter((key) => !(key in required));
    if (lost.length > 0) faults.push(`require("${specifier}") lacks ${lost}`);
  } catch (error) {
    faults.push(`import("${specifier}"): ${error.stack}`);
  }
}

for (const entry of readdirSync(join(root, "dist"), { recursive: true, withFileTypes: true })) {
  if (!entry.name.endsWith(".map")) continue;
  const file = join(entry.parentPath, entry.name);
  const { sources, sourcesContent } = JSON.parse(readFileSync(file, "utf8"));
  const isLost = (source, index) => !sourcesContent?.[index] && !existsSync(resolve(dirname(file), source));
  if (sources.some(isLost))
    faults.push(
      `${file.slice(root.length)}: its source is not in the package (left by an earlier build? rm -rf dist)`,
    );
}

for (const fault of faults) console.error(fault);
process.exit(faults.length > 0 ? 1 : 0);
