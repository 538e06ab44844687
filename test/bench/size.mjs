// npm run size: what a page loads, minified for browsers of es2022 and compressed as web servers do (gzip -6).
// A part is what its absence saves, with what only it needs: parts do not add up to the whole.
import { gzipSync } from "node:zlib";
import { bundle, dist } from "./support/bundle.mjs";

/** Of `createSpaceClient` with all that it needs. Fails above that: a page should not notice the client. */
const CLIENT_LIMIT = 12 * 1024;

const CLIENT = `export { createSpaceClient } from ${dist("client/index.js")};`;
const REACT = `export * from ${dist("react/index.js")};`;
const DEVTOOLS = `export { SpacefeedDevtoolsInProduction } from ${dist("devtools/index.js")};`;
/** What a page that uses `spacefeed/react` has already. */
const THERE = [/^react(-dom)?(\/|$)/, /dist\/(client|protocol)\//];

const client = await measure(CLIENT, []);
print("spacefeed: createSpaceClient", client);
print("spacefeed/react, without React and the client", await measure(REACT, THERE));
print("spacefeed/devtools, where a page asks for it", await measure(DEVTOOLS, THERE));
if (client.gzip > CLIENT_LIMIT) {
  console.error(`size: the client has ${client.gzip} bytes; the limit is ${CLIENT_LIMIT}`);
  process.exit(1);
}
console.log(`the client's limit is ${kib(CLIENT_LIMIT)}: met`);

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
  return `${name.padEnd(48)}${kib(gzip).padStart(10)} gzip${kib(minified).padStart(12)} minified`;
}

function kib(bytes) {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
