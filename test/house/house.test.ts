import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What each room may import of the others. */
const MAY_IMPORT: Record<string, string[]> = {
  protocol: [],
  embedded: ["protocol"],
  server: ["protocol", "embedded"],
  client: ["protocol"],
  react: ["protocol", "client"],
  vue: ["protocol", "client"],
  svelte: ["protocol", "client"],
  solid: ["protocol", "client"],
  "tanstack-db": ["protocol", "client"],
  devtools: ["protocol", "client"],
  demo: ["protocol", "client", "react", "devtools"],
};
/** The rooms of the server, from the ground up: each may import those above it in this list. */
const SERVER_ROOMS = [
  ...["metrics.ts", "tracing.ts", "loader.ts", "postgres", "feed", "auth", "stream", "http"],
  ...["settings.ts", "config.ts", "relay.ts", "cli"],
];
const SQL = /\binsert into\b|\bupdate\s+\S+(\s+as \w+)?\s+set\b|\bdelete from\b|\bselect\b[^.;]*?\sfrom\s/;
const MAY_HAVE_SQL = [
  "src/server/postgres/functions.ts",
  "src/server/postgres/migrate.ts",
  "src/server/postgres/migration-wait.ts",
  "src/server/postgres/listener.ts",
  "src/embedded/embedded.ts",
  "src/embedded/postmaster.ts",
  "src/demo/psql-line.tsx", // shown to people, who type it
  "src/demo/tracker/made-by.tsx",
];
/** What a DBA would type: the command line has the rights of whoever calls it, and is no relay. */
const OF_DBAS = /^src\/server\/cli\//;
const SSE_TEXT = /(["'`]|\\n)(data|event|id|retry): /;

const filesIn = (directory: string) =>
  readdirSync(join(ROOT, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length));
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
const sources = filesIn("src").filter((file) => /\.(ts|tsx)$/.test(file));
const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");

/** The sources that a source imports, types too. */
const importsOf = (file: string) =>
  [...read(file).matchAll(/\b(?:from|import)\s*\(?\s*["'](\.[^"']*)["']/g)]
    .map(([, specifier]) => normalize(join(dirname(file), specifier as string)).replace(/\.js$/, ""))
    .map((target) => [`${target}.ts`, `${target}.tsx`].find((name) => sources.includes(name)) ?? target);

test("imports run one way: protocol ← embedded ← server, protocol ← client ← react, devtools ← demo", () => {
  const roomOf = (file: string) => file.split("/")[1] as string;
  const wrong = sources.flatMap((file) =>
    importsOf(file)
      .filter((target) => roomOf(target) !== roomOf(file))
      .filter((target) => !MAY_IMPORT[roomOf(file)]?.includes(roomOf(target)))
      .map((target) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
  for (const file of sources) expect(Object.keys(MAY_IMPORT)).toContain(file.split("/")[1]);
});

test("in the server imports run one way: postgres ← feed ← stream ← http ← relay ← cli", () => {
  const floorOf = (file: string) => {
    const floor = SERVER_ROOMS.indexOf(file.split("/")[2] as string);
    return floor < 0 ? SERVER_ROOMS.length : floor; // index.ts
  };
  const server = sources.filter((file) => file.startsWith("src/server/"));
  const wrong = server.flatMap((file) =>
    importsOf(file)
      .filter((target) => server.includes(target) && floorOf(target) > floorOf(file))
      .map((target) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test("no file imports itself by way of others", () => {
  const below = new Map(sources.map((file) => [file, importsOf(file)]));
  const reaches = (file: string, from: string, seen = new Set<string>()): boolean =>
    (below.get(from) ?? []).some(
      (next) => next === file || (!seen.has(next) && reaches(file, next, seen.add(next))),
    );
  expect(sources.filter((file) => reaches(file, file))).toEqual([]);
});

test("the protocol and the client run in a browser: they import nothing of Node but types", () => {
  const wrong = sources.filter(
    (file) =>
      /^src\/(client|react|vue|svelte|solid|tanstack-db|devtools|demo)\//.test(file) &&
      /["']node:|["'](pg|hono|pino)["'/]/.test(read(file)),
  );
  expect(wrong).toEqual([]);
  expect(read("src/protocol/messages.ts")).not.toMatch(/["']node:/);
});

test("the client carries no schemas: of the protocol it imports types and errors", () => {
  const wrong = sources
    .filter((file) => /^src\/(client|react|vue|svelte|solid|tanstack-db|devtools)\//.test(file))
    .flatMap((file) => read(file).match(/^import (?!type).*protocol\/(?!errors\.js).*$/gm) ?? []);
  expect(wrong).toEqual([]);
});

test("no file has more than 300 lines", () => {
  const long = [...filesIn("src"), ...filesIn("sql"), ...filesIn("bin")]
    .map((file) => [file, read(file).trimEnd().split("\n").length] as const)
    .filter(([, lines]) => lines > 300);
  expect(long).toEqual([]);
});

test("one noun, one file: no utils, lib, helpers, types, interfaces or common", () => {
  const vague = /^(utils?|libs?|helpers?|types?|interfaces?|common|misc|shared)(\.|$)/;
  const files = [...filesIn("src"), ...filesIn("test"), ...filesIn("sql"), ...filesIn("bin")];
  expect(files.filter((file) => file.split("/").some((part) => vague.test(part)))).toEqual([]);
});

test("SSE text is written in src/protocol/sse.ts only", () => {
  const wrong = sources.filter((file) => SSE_TEXT.test(withoutComments(read(file))));
  expect(wrong).toEqual(["src/protocol/sse.ts"]);
});

test("SQL is in functions.ts, listener.ts and the migrations only, and where Postgres itself is started", () => {
  const having = sources.filter((file) => SQL.test(withoutComments(read(file))));
  expect(having.filter((file) => !MAY_HAVE_SQL.includes(file) && !OF_DBAS.test(file))).toEqual([]);
  expect(having).toContain("src/server/postgres/functions.ts");
});

test("the relay calls functions of schema sync, and names no table: what is read and written asks in SQL whether it may", () => {
  const server = sources.filter(
    (file) => /^src\/server\/(?!postgres\/migrat)/.test(file) && !OF_DBAS.test(file),
  );
  const texts = server.map((file) => [file, withoutComments(read(file))] as const);
  const named = texts.filter(([, text]) =>
    /\b(from|into|update|table)\s+(public|sync)\.\w+(?!\w*\()|sync\.authorize\(\w/.test(text),
  );
  expect(named.map(([file]) => file)).toEqual([]);
});

test("every promise of the design is held by a test that cites it", () => {
  const tests = filesIn("test").filter((file) => file.endsWith(".test.ts"));
  const cited = new Set(tests.flatMap((file) => read(file).match(/\bP(1[0-2]|[1-9])(?=[:, ])/g) ?? []));
  const all = Array.from({ length: 12 }, (_, n) => `P${n + 1}`);
  expect(all.filter((promise) => !cited.has(promise))).toEqual([]);
  expect(tests.map((file) => basename(file)).length).toBeGreaterThan(10);
});
