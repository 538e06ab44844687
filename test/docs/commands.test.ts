import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useEmptyDatabases } from "../support/postgres/empty-database.js";
import { useSession } from "../support/postgres/session.js";
import { useCommand } from "../support/process/command.js";
import { useRelay } from "../support/relay/relay.js";
import { blocksOf, commandsOf, PAGES, ROOT, read } from "./blocks.js";

// Every command in the README, SECURITY.md and docs/ is run here, or is named here with the reason why it is not.

const MINUTES = "takes minutes; .ci/run runs a short one";
const NOT_RUN: [RegExp, string][] = [
  [/^npm start$/, ".ci/session.sh runs it"],
  [/^npm test$/, "it runs this"],
  [/^npm run (check|size)$/, ".ci/run runs it; it would build under the other tests"],
  [/^npm run docs$/, "it writes to docs/; made.test.ts holds what it writes"],
  [/^npm run (bench|chaos|stress)\b/, MINUTES],
  [/^(\w+=\w+ )?npx vitest run /, "a test of this suite, mostly for longer"],
  [/^bash \.ci\/run$/, "it runs this, and needs Docker"],
  [
    /^(npm install|npx) spacefeed\b/,
    "needs the registry; .ci/pack.sh installs and starts what npm would bring",
  ],
  [/^apt-get /, "needs root and Debian; .ci/chromium.sh runs it"],
  [/^psql postgres:\/\/postgres@127\.0\.0\.1:54329\/spacefeed$/, "session.test.ts has it"],
  [/^pg_dump --no-privileges$/, "needs the pg_dump of the server; test/clusters/restore.test.ts runs it"],
  [/^select cron\.schedule/, "needs pg_cron"],
  [/^node examples\/ai\/bot\.mjs /, "test/examples/ai.test.ts runs it"],
  [/^select sync\.untrack\('todo'\)$/, "test/schemas untracks, and compares dumps"],
  [/^spacefeed (track|tracked|untrack|types|doctor|top)\b/, "its test in test/server/cli/ runs it"],
  [
    /^select sync\.untrack\('todo'\)$/,
    "what is before it in the page makes that table; test/schemas/ runs it",
  ],
  [/^create role spacefeed_relay nologin$/, "migrations have made it in this cluster"],
];
/** What is no command. */
const NO_COMMANDS: [string, RegExp, string][] = [
  ["README.md", /^(\$ |id: )/, "session.test.ts runs it"],
  ["README.md", /^ *Spacefeed is at /, "session.test.ts compares it"],
  [
    "docs/frameworks.md",
    /^<script|^import \{ .*solid/,
    "test/vue, test/svelte and test/solid show it in Chromium",
  ],
  ["docs/frameworks.md", /^import .*tanstack/, "test/tanstack-db/docs.test.ts runs it"],
  [
    "docs/protocol.md",
    /^\{"type":"space-sync"/,
    "the shapes of events; test/server/http/openapi.test.ts holds them",
  ],
  [
    "docs/operations.md",
    /^\$ spacefeed |^declare module /,
    "what a command prints; test/server/cli/ holds its form",
  ],
  ["docs/adopting.md", /^shop=# /, "a session with a million rows; test/schemas/ runs its statements"],
  [
    "docs/migrating.md",
    /^-- |^import /,
    "test/schemas/rhiz.test.ts and untrack.test.ts run it, and the next test compares it",
  ],
  ["docs/answers.md", /^while \(/, "test/examples/ai.test.ts compares it with the script that it runs"],
  ["docs/CONTRIBUTING.md", /^packages\/ /, "the map"],
];
const DRAWING = /[─│▼▶]/;
const COMPONENT = "test/reports/10-the-readme.test.ts";

const db = useDatabase();
const emptyDatabase = useEmptyDatabases(db);
const relay = useRelay(db);
const shell = useCommand(["bash", "-o", "pipefail", "-c"]);
const hasPsql = spawnSync("psql", ["--version"]).status === 0;
const session = useSession(db);
let bin: string;

beforeAll(async () => {
  await session.query("insert into public.beings (id, type) values ('lobby', 'space')");
  bin = await mkdtemp(join(tmpdir(), "spacefeed-bin-"));
  // As npm installs it. The relay of `tail` has a port of its own here.
  const script = `#!/bin/sh\n[ "$1" != tail ] || set -- "$@" --url ${relay.current.url}\nexec ${process.execPath} ${ROOT}bin/spacefeed.mjs "$@"\n`;
  await writeFile(join(bin, "spacefeed"), script);
  await chmod(join(bin, "spacefeed"), 0o755);
});
afterAll(() => rm(bin, { recursive: true, force: true }));

const blocks = PAGES.flatMap(blocksOf);
const commands = blocks.flatMap((block) =>
  commandsOf(block).map(({ kind, code }) => ({ where: `${block.page}:${block.line}`, kind, code })),
);
const isNamed = ({ code }: { code: string }) => NOT_RUN.some(([pattern]) => pattern.test(code));
const named = commands.filter(isNamed);
const rest = commands.filter((command) => !isNamed(command));
/** What changes nothing but its own database: npm, for one, would work on this repository. */
const run = rest.filter(
  ({ kind, code }) => kind === "sql" || /^(\w+=\S+ )*(spacefeed|node|psql|curl) /.test(code),
);

test("every block has commands, or is named as one that has none", () => {
  const silent = blocks
    .filter((block) => commandsOf(block).length === 0 && !DRAWING.test(block.text))
    .filter(({ page, language }) => language !== "tsx" || !read(COMPONENT).includes(page))
    .filter(({ page, text }) => !NO_COMMANDS.some(([of, pattern]) => of === page && pattern.test(text)));
  expect(silent).toEqual([]);
});

test("every command is run, or named with the reason why it is not", () => {
  expect(rest.filter((command) => !run.includes(command))).toEqual([]);
  expect(run.length).toBeGreaterThan(20);
});

test("nothing is named that the pages do not have", () => {
  expect(NOT_RUN.filter(([pattern]) => !named.some(({ code }) => pattern.test(code)))).toEqual([]);
  const texts = ([of, pattern]: [string, RegExp, string]) =>
    blocks.filter(({ page, text }) => page === of && pattern.test(text));
  expect(NO_COMMANDS.filter((entry) => texts(entry).length === 0)).toEqual([]);
});

test("what is not run names scripts, subjects and files that there are", () => {
  const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as { scripts: object };
  for (const { where, code } of named) {
    const [, script] = /^npm run (\w+)/.exec(code) ?? [];
    if (script) expect(Object.keys(scripts), where).toContain(script);
    const [, subjects = ""] = /^npm run bench -- ([^-].*?)(?: --|$)/.exec(code) ?? [];
    const files = [
      ...code.split(" ").filter((word) => /^[\w.]+\/[\w./-]+$/.test(word)),
      ...subjects.split(" ").flatMap((subject) => (subject ? [`test/bench/${subject}.mjs`] : [])),
    ];
    expect(
      files.filter((file) => !existsSync(ROOT + file)),
      where,
    ).toEqual([]);
  }
});

test.each(run.filter(({ kind }) => kind === "sql"))("$where: $code", async ({ code }) => {
  const database = new URL(db.url).pathname.slice(1);
  await session.undone(async () => {
    // The roles that the pages speak of: their names are of the whole cluster.
    await session.query("create role owner");
    if (!/^create role relay /.test(code))
      await session.query("create role relay login in role spacefeed_relay");
    await session.query(code.replace("on database spacefeed", `on database ${database}`));
  });
});

test("each policy that docs/access.md shows is the file that it links to", () => {
  const shown = [
    ...read("docs/access.md").matchAll(/\((\.\.\/sql\/policies\/\w+\.sql)\)[^`]*```sql\n(.*?)```/gs),
  ];
  expect(shown.length).toBe(3);
  for (const [, file = "", text = ""] of shown) expect(read(`docs/${file}`)).toContain(text);
});

test("docs/migrating.md shows what test/schemas/ runs", () => {
  const plain = (text: string) => text.replace(/\s+/g, " ").trim();
  const shown = plain(read("docs/migrating.md"));
  expect(shown).toContain(plain(read("test/schemas/rhiz-adopt.sql")));
  const untracking = shown.match(/select sync\.untrack\('\w+'\);/g) as string[];
  expect(untracking).toHaveLength(2);
  for (const statement of untracking)
    expect(read("test/schemas/untrack.test.ts")).toContain(statement.slice(0, -1));
});

/** What a command that goes on until it is stopped prints when it works. */
const GOES_ON: [RegExp, RegExp][] = [
  [/^spacefeed serve$/, /Spacefeed is at /],
  [/spacefeed tail lobby( --until 17)?$/, /"space-sync"/],
];

test.for(run.filter(({ kind }) => kind === "shell"))("$where: $code", async ({ code }, { skip }) => {
  skip(/\bpsql\b/.test(code) && !hasPsql, "there is no psql");
  const env = {
    PATH: `${bin}${delimiter}${process.env.PATH}`,
    PORT: "0",
    TOKEN: "token",
    DATABASE_URL: (await emptyDatabase()).url,
  };
  const command = shell([code], env);
  const [, sign] = GOES_ON.find(([pattern]) => pattern.test(code)) ?? [];
  if (sign) {
    await command.until("stdout", sign);
    command.child.kill();
    await command.end;
  } else {
    const { code: exit, stderr } = await command.end;
    expect({ exit, stderr: exit === 0 ? "" : stderr }).toEqual({ exit: 0, stderr: "" });
  }
});
