import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { z } from "zod";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { useCommand } from "../../support/process/command.js";
import { COLUMNS, makeTracker } from "./tracker.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const run = promisify(execFile);
const db = useDatabase();
const s = useSession(db);
const spacefeed = useCommand();
let directory: string;

beforeAll(async () => {
  await makeTracker(s);
  await s.run(
    `select sync.track('public.tasks', space => 'project_id', name => 'task',
       columns => array['${COLUMNS.replaceAll(",", "', '")}'])`,
    // Of each column a value, and a null where it may be one.
    `insert into public.tasks (project_id, title, urgency, points, budget, due, tags, grid, details, "two words") values
       ('p', 'all', 'very "high"', 3, 12.50, 'infinity', array['a', null], array[[1, 2], [3, null]], '{"deep": [1]}', 'both')`,
    "insert into public.tasks (project_id, title) values ('p', 'few')",
  );
  // In the repository, so that its packages are found.
  directory = await mkdtemp(join(ROOT, "node_modules/.spacefeed-types-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function types(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await spacefeed(["types", ...args], { DATABASE_URL: db.url }).end;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}
const rows = async () =>
  (await s.query("select sync.task_json(t) as wire from public.tasks t")).map(({ wire }) => wire);

/** What the compiler says of these files, which import the package as it is built here. */
async function compile(files: Record<string, string>): Promise<string> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  const options = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, target: "es2023", lib: ["es2023", "dom"] },
    ...{ module: "nodenext", types: [], paths: { spacefeed: [join(ROOT, "dist/client/index.d.ts")] } },
  };
  const project = { compilerOptions: options, files: Object.keys(files) };
  await writeFile(join(directory, "package.json"), '{ "type": "module" }');
  await writeFile(join(directory, "tsconfig.json"), JSON.stringify(project));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  return run(process.execPath, [tsc, "-p", directory]).then(
    () => "",
    ({ stdout, stderr }) => stdout + stderr,
  );
}

test("types prints the map of tracked tables, by the names and the JSON of the wire", async () => {
  expect(await types()).toBe(`// Made by \`spacefeed types\` from the database's catalog.
import type {} from "spacefeed";

declare module "spacefeed" {
  interface Entities {
    /** public.tasks */
    task: {
      id: string;
      projectId: string;
      title: string;
      done: boolean;
      urgency: "low" | "very \\"high\\"" | null;
      points: number | null;
      budget: string | null;
      size: string;
      due: string | null;
      createdAt: string;
      tags: (string | null)[];
      grid: (number | null)[][] | null;
      details: unknown;
      "two words": string | null;
    };
  }
}
`);
});

test("what it prints compiles against the package, fits the rows that there are, and tells a row that does not fit", async () => {
  const use = (wire: unknown[]) => `import type { Entities, SpaceClient } from "spacefeed";
import "./entities.js";
export const titles = (client: SpaceClient) => client.getEntities("task").map((task) => task.title.toUpperCase());
export const rows: Entities["task"][] = ${JSON.stringify(wire)};\n`;
  const [all, few] = (await rows()) as Record<string, unknown>[];
  const map = await types();
  expect(await compile({ "entities.ts": map, "use.ts": use([all, few]) })).toBe("");
  for (const wrong of [{ size: 1 }, { urgency: "high" }, { title: null }, { tags: null }, { secret: "s" }]) {
    expect(await compile({ "entities.ts": map, "use.ts": use([{ ...all, ...wrong }]) })).toContain("use.ts");
  }
});

test("with --zod it is schemas, which take these rows and no others", async () => {
  const file = join(directory, "schemas.ts");
  expect(await types("--zod", "--out", file)).toBe("");
  const text = await readFile(file, "utf8");
  const use =
    'import type { Entities } from "spacefeed";\nimport { taskSchema } from "./schemas.js";\n' +
    'export const row: Entities["task"] = taskSchema.parse(null);\nexport const urgency: "low" | \'very "high"\' | null = row.urgency;\n';
  expect(await compile({ "schemas.ts": text, "use.ts": use })).toBe("");

  const { taskSchema } = (await import(/* @vite-ignore */ file)) as { taskSchema: z.ZodObject };
  const wire = (await rows()) as Record<string, unknown>[];
  expect(wire).toHaveLength(2);
  const strict = taskSchema.strict();
  for (const row of wire) expect(strict.parse(row)).toEqual(row);
  for (const wrong of [
    { size: 1 },
    { urgency: "high" },
    { title: null },
    { tags: null },
    { grid: [1] },
    { secret: "s" },
  ]) {
    expect(strict.safeParse({ ...wire[0], ...wrong }).success).toBe(false);
  }
});

test("of a wire function that was replaced by hand it says so, and has the fields that it sends", async () => {
  await s.undone(async () => {
    await s.run(
      `create or replace function sync.task_json(task public.tasks) returns json language sql stable
       set search_path = pg_catalog, pg_temp as $$
       select row_to_json(wire) from (select task.id::text as id, task.done, upper(task.title) as shout) as wire $$`,
    );
    expect(await s.query("select field, json_type, is_replaced from sync.fields('task')")).toEqual([
      { field: "id", json_type: "string", is_replaced: true },
      { field: "done", json_type: "boolean", is_replaced: true },
      { field: "shout", json_type: "json", is_replaced: true },
    ]);
    await s.run("commit");
  });
  const text = await types();
  expect(text).toContain("/** public.tasks. sync.task_json was replaced by hand: its types may differ */");
  expect(text).toContain("      done: boolean;\n      shout: unknown;\n    };");
  expect(await types("--zod")).toContain("  shout: z.unknown(),\n});");
});

test("a wire function that fails without a row, or gives none, leaves the columns as they are", async () => {
  for (const body of [
    "select json_build_object('id', 1 / (task.id is not null)::int)",
    "select null::json",
  ]) {
    await s.run(
      `create or replace function sync.task_json(task public.tasks) returns json language sql stable
       set search_path = pg_catalog, pg_temp as $$ ${body} $$`,
    );
    expect(await s.query("select field from sync.fields('task') where is_replaced")).toHaveLength(14);
  }
});

test("with no table tracked it is an empty map, which compiles", async () => {
  await s.query("select sync.untrack('task')");
  expect(await types()).toMatch(/interface Entities \{\n {2}\}\n\}\n$/);
  expect(await compile({ "entities.ts": await types(), "schemas.ts": await types("--zod") })).toBe("");
});

test("a name that ends a comment or a line, or is no identifier, does no harm", async () => {
  await s.run(
    'create schema "*/ x"',
    `create table "*/ x"."a\nb" (id text primary key, "new" text, "a""b\\" text, "ü" text)`,
    `select sync.track('"*/ x"."a\nb"', space => 'new', columns => array['id', 'new', 'a"b\\', 'ü'], name => 'class')`,
  );
  const text = await types();
  expect(text).toContain('/** "* / x"."a b" */');
  expect(await compile({ "entities.ts": text, "schemas.ts": await types("--zod") })).toBe("");
});
