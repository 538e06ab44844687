// npm run size: what a page loads, minified for browsers of es2022 and compressed as web servers do (gzip -6).
// A part is what its absence saves, with what only it needs: parts do not add up to the whole.
import { gzipSync } from "node:zlib";
import { bundle, dist } from "./support/bundle.mjs";

/** Of `createSpaceClient` with all that it needs. Fails above that: a page should not notice the client. */
const CLIENT_LIMIT = 12 * 1024;

const CLIENT = `export { createSpaceClient } from ${dist("client/index.js")};`;
/** The exports beside it, each with its own limit; without its framework, and without the client. */
const EXPORTS = {
  react: 27 * 1024,
  vue: 1.5 * 1024,
  svelte: 1.5 * 1024,
  solid: 1.5 * 1024,
  "tanstack-db": 1024,
  devtools: 5 * 1024,
};
/** What a page has already. Who shares clients is in the client's room, and part of each export. */
const THERE = [
  /^(react|react-dom|vue|svelte|solid-js|@tanstack\/db)(\/|$)/,
  /dist\/(client\/(?!shared-client)|protocol\/)/,
];

const client = await measure(CLIENT, []);
print("spacefeed: createSpaceClient", client);
const sizes = [["the client", client.gzip, CLIENT_LIMIT]];
for (const [name, limit] of Object.entries(EXPORTS)) {
  const whole = await measure(`export * from ${dist(`${name}/index.js`)};`, THERE);
  print(`spacefeed/${name}, without its framework and the client`, whole);
  sizes.push([`spacefeed/${name}`, whole.gzip, limit]);
}
for (const [name, bytes, limit] of sizes) {
  if (bytes > limit) {
    console.error(`size: ${name} has ${bytes} bytes; the limit is ${limit}`);
    process.exitCode = 1;
  } else console.log(`the limit of ${name} is ${kib(limit)}: met`);
}

async function measure(entry, external) {
  const whole = await sizeOf(entry, external);
  const own = await sizeOf(entry, [...external, ...whole.packages.map(fromPackage)]);
  const parts = [{ name: "own code", ...own }];
  for (const name of whole.packages) {
    const rest = await sizeOf(entry, [...external, fromPackage(name)]);
    parts.push({ name, gzip: whole.gzip - rest.gzip, minified: whole.minified - rest.minified });
  }
  return { ...whole, parts };
}

async function sizeOf(entry, external) {
  const chunks = await bundle(entry, external);
  const modules = chunks.flatMap((chunk) => Object.entries(chunk.modules));
  return {
    gzip: sum(chunks.map(({ code }) => gzipSync(code).length)),
    minified: sum(chunks.map(({ code }) => Buffer.byteLength(code))),
    packages: [...new Set(modules.flatMap(packageOf))].sort(),
  };
}

/** The package of a module that something is left of. */
function packageOf([id, { renderedLength }]) {
  const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];
  return name && renderedLength > 0 ? [name] : [];
}

/** Its modules by the name they are imported by, or by their path. */
function fromPackage(name) {
  return new RegExp(`(^|/node_modules/)${name}(/|$)`);
}

function print(title, whole) {
  console.log(line(title, whole));
  for (const part of whole.parts) console.log(line(`  ${part.name}`, part));
}

function line(name, { gzip, minified }) {
  return `${name.padEnd(58)}${kib(gzip).padStart(10)} gzip${kib(minified).padStart(12)} minified`;
}

function kib(bytes) {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
