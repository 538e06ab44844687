import { beforeAll, expect, test } from "vitest";
import { migrate } from "../../../src/server/postgres/migrate.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useEmptyDatabases } from "../../support/postgres/empty-database.js";
import { useSession } from "../../support/postgres/session.js";
import { useCommand } from "../../support/process/command.js";
import { COLUMNS, makeTracker } from "./tracker.js";

const db = useDatabase();
const emptyDatabase = useEmptyDatabases(db);
const s = useSession(db);
const spacefeed = useCommand();

beforeAll(async () => {
  await makeTracker(s);
  await s.run(
    "insert into public.tasks (project_id, title) select 'p' || n % 10, 'task ' || n from generate_series(1, 250) n",
    'create table public.notes (id text, "spaceId" text)',
  );
});

const call = (...args: string[]) => spacefeed(args, { DATABASE_URL: db.url }).end;
const TRACK = ["track", "public.tasks", "--space", "project_id", "--columns", COLUMNS, "--name", "task"];
const recorded = () => s.value("select count(*)::int from sync.changes where entity_type = 'task'");
const verified = () => s.query("select * from sync.verify()");

test("track without columns says which there are, and which look like secrets; nothing is changed", async () => {
  const { code, stdout, stderr } = await call("track", "public.tasks", "--space", "project_id");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  const [message, hint, ...rest] = stderr.split("\n");
  expect(message).toMatch(
    /^spacefeed: track: public\.tasks is not tracked: nothing says which of its columns/,
  );
  expect(hint).toMatch(
    /^HINT: Choose from columns => array\['id', 'project_id', .* look like secrets: secret\.$/,
  );
  expect(rest).toEqual([""]);
  expect(await s.query("select from pg_trigger where tgrelid = 'public.tasks'::regclass")).toEqual([]);
});

test.each([
  [
    "a table that is not there",
    ["track", "public.nothing", "--space", "a", "--columns", "id"],
    /relation "public.nothing" does not exist/,
  ],
  [
    "one without a key",
    ["track", "public.notes", "--space", "spaceId", "--columns", "id"],
    /it has no primary key of one column/,
  ],
  [
    "a column that is not there",
    ["track", "public.tasks", "--space", "room", "--columns", "id"],
    /it has no column room/,
  ],
  ["a size that is none", [...TRACK, "--batch", "many"], /--batch many/],
  [
    "a name that is not tracked",
    ["untrack", "nothing"],
    /untrack: nothing is tracked as nothing\nHINT: See: /,
  ],
])("what it refuses is a line, and its hint another: %s", async (_, args, reason) => {
  const { code, stdout, stderr } = await call(...args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(reason);
  expect(
    stderr
      .trimEnd()
      .split("\n")
      .every((line) => /^(spacefeed|HINT): /.test(line)),
  ).toBe(true);
});

test("without DATABASE_URL, or where nobody answers, it says so", async () => {
  expect((await spacefeed(["tracked"]).end).stderr).toBe(
    "spacefeed: tracked needs DATABASE_URL, such as postgres://me@db:5432/app\n",
  );
  for (const command of ["tracked", "doctor", "top"]) {
    const { code, stderr } = await spacefeed([command], { DATABASE_URL: "postgres://127.0.0.1:1/x" }).end;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^spacefeed: the database cannot be reached: .*; see DATABASE_URL\n$/);
  }
});

test("where there is no schema of ours it says how to make it", async () => {
  const { url } = await emptyDatabase();
  const { code, stderr } = await spacefeed(["tracked"], { DATABASE_URL: url }).end;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^spacefeed: .*\nHINT: Bring the database to this version: spacefeed migrate\n$/);
});

test("track fills a table batch by batch, tells how far it is, and a second run goes on where one was stopped", async () => {
  // As a first run that was stopped after its first batch.
  await s.run(
    `select sync.track('public.tasks', space => 'project_id', columns => '{${COLUMNS.replaceAll(",", '","').replace(/^|$/g, '"')}}', name => 'task')`,
    "select sync._fill('task', 100)",
  );
  expect(await recorded()).toBe(100);
  const floors = await s.query("select space_id, floor from sync.spaces order by space_id");

  const { code, stdout, stderr } = await call(...TRACK, "--batch", "100");
  expect({ code, stdout }).toEqual({ code: 0, stdout: "public.tasks is tracked as task.\n" });
  expect(stderr).toMatch(/^task: filled up to [0-9a-f-]+ \(100.* rows\)\ntask: filled\n$/);
  expect(await recorded()).toBe(250);
  expect(await verified()).toEqual([]);
  // Nobody had to take anything anew for it.
  expect(await s.query("select space_id, floor from sync.spaces order by space_id")).toEqual(floors);
});

test("a wire function that was replaced is still there after a second run", async () => {
  await s.run(
    `create or replace function sync.task_json(task public.tasks) returns json language sql stable
     set search_path = pg_catalog, pg_temp as $$ select json_build_object('id', task.id, 'shout', upper(task.title)) $$`,
  );
  expect((await call(...TRACK)).code).toBe(0);
  expect(
    await s.value("select sync.task_json(t)::text from public.tasks t where title = 'task 7'"),
  ).toContain("TASK 7");
});

test("with other columns those who have rows of it take them anew; one that was replaced stays, and the answer says so", async () => {
  const others = [...TRACK.slice(0, -3), "id, title, project_id", "--name", "task", "--writable"];
  const kept = await call(...others);
  expect(kept.code).toBe(0);
  expect(kept.stdout).toContain("sync.task_json was replaced by hand and stays");
  const wire = "select sync.task_json(t)::text from public.tasks t where title = 'task 7'";
  expect(await s.value(wire)).toContain("TASK 7");
  expect(await s.value("select bool_and(floor = version) from sync.spaces where space_id ~ '^p'")).toBe(true);
});

test("without it the wire function is written for the columns", async () => {
  await s.run("drop function sync.task_json(public.tasks)");
  await migrate(db.url, "up");
  expect(await s.value("select sync.task_json(t)::text from public.tasks t where title = 'task 7'")).toMatch(
    /^\{"id":"[^"]+","title":"task 7","projectId":"p7"\}$/,
  );
});

test("tracked lists the tables, for people and as JSON", async () => {
  const { stdout } = await call("tracked");
  expect(stdout.split("\n")[0]).toMatch(/^name +table +spaces +columns +writable +filled$/);
  expect(stdout).toMatch(/^task +public\.tasks +project_id +id,title,project_id +id,project_id,title +yes$/m);
  const listed = JSON.parse((await call("tracked", "--json")).stdout);
  expect(listed).toMatchObject([
    { name: "being", table: "public.beings" },
    { name: "intention" },
    { name: "task", spaces: ["project_id"], columns: ["id", "title", "project_id"], filledTo: null },
  ]);
});

test("untrack takes it off again", async () => {
  const { code, stdout, stderr } = await call("untrack", "task");
  expect({ code, stdout, stderr }).toEqual({
    code: 0,
    stdout: "public.tasks is as it was before it was tracked.\n",
    stderr: "",
  });
  expect(await s.query("select from pg_trigger where tgrelid = 'public.tasks'::regclass")).toEqual([]);
  expect(JSON.parse((await call("tracked", "--json")).stdout)).toHaveLength(2);
  expect(await verified()).toEqual([]);
});
