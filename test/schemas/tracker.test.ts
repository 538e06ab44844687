import { createHash } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { copyFrom } from "../support/postgres/copy.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import type { Chance } from "../support/process/chance.js";
import { faults } from "../support/relay/feed.js";
import { eventually } from "../support/relay/follow.js";
import { useRelay } from "../support/relay/relay.js";
import { Follower } from "./follower.js";
import { load } from "./load.js";
import { runFile } from "./statements.js";

// A project tracker, adopted while it writes: tasks are in the space of their project and in that of whoever they are
// assigned to, comments in that of their task.

const db = useDatabase();
const relay = useRelay(db);
let session: Session;
let ids: Record<"members" | "projects" | "tasks", string[]>;

beforeAll(async () => {
  session = await Session.open(db);
  await runFile(session, "tracker.sql");
  const idsOf = async (table: string) =>
    (await session.query(`select id from tracker.${table} order by title`)).map(({ id }) => id as string);
  ids = {
    members: (await session.query("select id from tracker.members order by name")).map(
      ({ id }) => id as string,
    ),
    projects: await idsOf("projects"),
    tasks: await idsOf("tasks"),
  };
});

/** The ID that the schema gives to "task 7". */
const uuid = (text: string) =>
  createHash("md5")
    .update(text)
    .digest("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
const follow = (context: Parameters<typeof Follower.of>[0], space: string) =>
  Follower.of(context, relay.current.url, space);

/** What the table has in a space, as the wire has it. */
async function tasksIn(space: string) {
  return session.query(
    `select id::text, project_id::text as "projectId", assignee_id::text as "assigneeId", title, status::text, points,
       hours::text, tags, slug, is_big as "isBig"
     from tracker.tasks where $1 in (project_id, assignee_id) order by id::text collate "C"`,
    [space],
  );
}

const commentsIn = (task: string) =>
  session.query(
    `select id::text, body from tracker.comments where task_id = $1 order by id::text collate "C"`,
    [task],
  );

function write(by: Session, chance: Chance): Promise<unknown> {
  const [member, project, task] = [chance.of(ids.members), chance.of(ids.projects), chance.of(ids.tasks)];
  switch (chance.below(10)) {
    case 0:
      return by.query("update tracker.tasks set assignee_id = $1 where id = $2", [member, task]);
    case 1:
      return by.query("update tracker.tasks set project_id = $1, status = 'doing' where id = $2", [
        project,
        task,
      ]);
    case 2:
      return by.query("delete from tracker.comments where task_id = $1", [task]);
    case 3: // by the name of a partition
      return by.query(
        `update tracker.comments_${chance.below(4)} set body = body || '.' where task_id = $1`,
        [task],
      );
    case 4:
      return by.query(
        `insert into tracker.comments (task_id, body) select id, 'hello' from tracker.tasks where id = $1`,
        [task],
      );
    case 5:
      return by.run(
        "begin",
        `insert into tracker.tasks (project_id, title) select id, 'undone' from tracker.projects where id = '${project}'`,
        "savepoint s",
        `update tracker.tasks set points = points + 1 where id = '${task}'`,
        "rollback to s",
        chance.is(0.5) ? "commit" : "rollback",
      );
    case 6: // what does not leave
      return by.query("update tracker.tasks set private_note = 'secret ' || random() where id = $1", [task]);
    case 7: // a task with its comments goes, by cascade
      return by.query(
        "delete from tracker.tasks where id = (select id from tracker.tasks where title = 'undone' limit 1 for update skip locked)",
      );
    default:
      return by.query("update tracker.tasks set points = points + 1, hours = hours + 0.25 where id = $1", [
        task,
      ]);
  }
}

test("P3, P6: it is adopted while it writes, and clients that follow have what the tables have", {
  timeout: 180_000,
}, async (context) => {
  const writers = await load(db, 4, write);
  await eventually(() => expect(writers.commits).toBeGreaterThan(50));
  await runFile(session, "tracker-adopt.sql");
  const [project, member, task] = [ids.projects[0], ids.members[0], ids.tasks[0]] as [string, string, string];
  const followers = await Promise.all([project, member, task].map((space) => follow(context, space)));
  const before = writers.commits;
  await eventually(() => expect(writers.commits).toBeGreaterThan(before + 300));
  await writers.stop();

  await eventually(async () => expect(await session.value("select count(*)::int from sync.notes")).toBe(0));
  expect(await faults(session)).toEqual([]);
  for (const follower of followers) {
    await follower.equal();
    expect(follower.raw).not.toMatch(/secret|passwordHash|inviteToken|privateNote/);
  }
  expect(followers[0]?.list("task")).toEqual(await tasksIn(project));
  expect(followers[1]?.list("task")).toEqual(await tasksIn(member));
  expect(followers[2]?.list("comment").map(({ id, body }) => ({ id, body }))).toEqual(await commentsIn(task));
  expect(followers[0]?.list("task").length).toBeGreaterThan(10);
});

test("enums, arrays, numerics and generated columns are on the wire as they are in the table", async (context) => {
  const project = uuid("project 1");
  const follower = await follow(context, project);
  await session.query(
    `insert into tracker.tasks (id, project_id, title, status, points, hours, tags)
     values ('11111111-1111-4111-8111-111111111111', $1, 'Big And Open', 'doing', 9, 12345678.0001, '{a,"b c"}')`,
    [project],
  );
  const found = () => follower.list("task").find(({ id }) => id.startsWith("11111111"));
  await eventually(() =>
    expect(found()).toMatchObject({
      status: "doing",
      points: 9,
      hours: "12345678.0001",
      tags: ["a", "b c"],
      slug: "big-and-open",
      isBig: true,
      assigneeId: null,
    }),
  );
  await session.run(
    "update tracker.tasks set points = 1, status = 'done', title = 'Small' where id::text like '11111111%'",
  );
  await eventually(() => expect(found()).toMatchObject({ status: "done", slug: "small", isBig: false }));
  // A generated column alone changes nothing that the writer names.
  await session.run(
    "alter type tracker.status add value 'blocked'",
    "update tracker.tasks set status = 'blocked' where id::text like '11111111%'",
  );
  await eventually(() => expect(found()).toMatchObject({ status: "blocked" }));
});

test("a task moves between projects and people: it is deleted there and created here, in one version each", async (context) => {
  const [from, to, anna, bert] = ["project 1", "project 2", "member 1", "member 2"].map(uuid);
  const id = await session.value(
    "insert into tracker.tasks (project_id, assignee_id, title) values ($1, $2, 'moves') returning id::text",
    [from, anna],
  );
  const followers = await Promise.all(
    [from, to, anna, bert].map((space) => follow(context, space as string)),
  );
  const has = () => followers.map((follower) => follower.list("task").some((task) => task.id === id));
  await eventually(() => expect(has()).toEqual([true, false, true, false]));
  await session.query("update tracker.tasks set project_id = $1, assignee_id = $2 where id = $3", [
    to,
    bert,
    id,
  ]);
  await eventually(() => expect(has()).toEqual([false, true, false, true]));
  await session.query("update tracker.tasks set assignee_id = null where id = $1", [id]);
  await eventually(() => expect(has()).toEqual([false, true, false, false]));
  // Both columns say one space: it is there once.
  await session.run("alter table tracker.tasks drop constraint tasks_assignee_id_fkey");
  await session.query("update tracker.tasks set assignee_id = project_id where id = $1", [id]);
  await eventually(() =>
    expect(followers[1]?.list("task").filter((task) => task.id === id)).toMatchObject([{ assigneeId: to }]),
  );
  await session.query("delete from tracker.tasks where id = $1", [id]);
  await eventually(() => expect(has()).toEqual([false, false, false, false]));
  for (const follower of followers) await follower.equal();
  expect(await faults(session)).toEqual([]);
});

test("P6: cascades: a project takes its tasks and their comments along, a member lets go of theirs", async (context) => {
  const [project, member] = ["project 3", "member 3"].map(uuid);
  const [task] = await session.query(
    "select t.id::text from tracker.tasks t join tracker.comments c on c.task_id = t.id where t.project_id = $1 limit 1",
    [project],
  );
  const followers = await Promise.all(
    [project, member, task?.id].map((space) => follow(context, space as string)),
  );
  for (const follower of followers) await follower.equal();
  expect([followers[0]?.list("project").length, followers[2]?.list("comment").length]).toEqual([
    1,
    expect.any(Number),
  ]);
  await session.query("delete from tracker.projects where id = $1", [project]);
  for (const follower of followers) await follower.equal();
  expect(followers.map((one) => [one.list("project").length, one.list("comment").length])).toEqual([
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
  expect(followers[0]?.list("task")).toEqual([]);
  await session.query("delete from tracker.members where id = $1", [member]);
  await followers[1]?.equal();
  expect(await faults(session)).toEqual([]);
});

test("P6: partitions: what is written by the name of one is seen, also where its columns are in another order", async (context) => {
  const task = await session.value(
    "insert into tracker.tasks (project_id, title) values ($1, 'partitioned') returning id::text",
    [uuid("project 1")],
  );
  await session.query(
    "insert into tracker.comments (task_id, body) values ($1, 'a space is there with its first row')",
    [task],
  );
  const follower = await follow(context, task as string);
  for (const n of [0, 1, 2, 3]) {
    const id = await session.value(
      `insert into tracker.comments_${n} (id, task_id, body)
       select id, $1, 'straight into ${n}' from (select gen_random_uuid() as id from generate_series(1, 200)) g
       where satisfies_hash_partition('tracker.comments'::regclass, 4, ${n}, id) limit 1 returning id::text`,
      [task],
    );
    const found = () => follower.list("comment").find((comment) => comment.id === id)?.body;
    await eventually(() => expect(found()).toBe(`straight into ${n}`));
    await session.query(`update tracker.comments_${n} set body = 'changed in ${n}' where id = $1`, [id]);
    await eventually(() => expect(found()).toBe(`changed in ${n}`));
    await session.query(`update tracker.comments set body = 'changed from above' where id = $1`, [id]);
    await eventually(() => expect(found()).toBe("changed from above"));
    // A new key: to another partition, mostly.
    const moved = await session.value(
      "update tracker.comments set id = gen_random_uuid() where id = $1 returning id::text",
      [id],
    );
    await eventually(() => expect(follower.list("comment").map((comment) => comment.id)).toContain(moved));
    expect(found()).toBeUndefined();
    await session.query(`delete from tracker.comments where id = $1`, [moved]);
  }
  await copyFrom(session, "copy tracker.comments (task_id, body) from stdin", `${task}\tcopied\n`.repeat(20));
  await eventually(() =>
    expect(follower.list("comment").filter(({ body }) => body === "copied")).toHaveLength(20),
  );
  await session.run("truncate tracker.comments_1");
  await follower.equal();
  await session.run("truncate tracker.comments");
  await follower.equal();
  expect(follower.list("comment")).toEqual([]);
  expect(await faults(session)).toEqual([]);
});

test("a partition that was added later is told of, and tied by a migration", async (context) => {
  const room = "the log";
  await session.run(
    "create table public.logs (id integer primary key, room text, line text) partition by range (id)",
    "create table public.logs_1 partition of public.logs for values from (0) to (100)",
    "select sync.track('public.logs', name => 'log', space => 'room', columns => array['id', 'line'])",
    "create table public.logs_2 partition of public.logs for values from (100) to (200)",
  );
  await session.query("insert into public.logs values (1, $1, 'one'), (101, $1, 'by the table')", [room]);
  const follower = await follow(context, room);
  const lines = () => follower.list("log").map(({ line }) => line);
  await eventually(() => expect(lines()).toEqual(["one", "by the table"]));
  const told = await session.query("select message from sync.warnings() where code = 'trigger_missing'");
  expect(told).toEqual([{ message: expect.stringMatching(/^public\.logs_2 lacks spacefeed_note_delete/) }]);
  await session.run("select sync._tie()");
  expect(await session.query("select from sync.warnings() where code = 'trigger_missing'")).toEqual([]);
  await session.query("insert into public.logs_2 values (102, $1, 'by its name')", [room]);
  await eventually(() => expect(lines()).toEqual(["one", "by the table", "by its name"]));
});

test("through the API: a task is written by its columns' names, and by nothing else", async () => {
  const ask = async (body: object) => {
    const response = await fetch(new URL("/api/entities", relay.current.url), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    // biome-ignore lint/suspicious/noExplicitAny: the test looks into it
    return { status: response.status, body: (await response.json()) as any };
  };
  const [project, id] = [uuid("project 1"), "22222222-2222-4222-8222-222222222222"];
  const data = { projectId: project, title: "By the API", status: "doing", tags: ["x"], hours: "1.2500" };
  const created = await ask({ action: "create", type: "task", id, spaceId: project, data });
  expect(created).toMatchObject({ status: 200, body: { data: { ...data, slug: "by-the-api" } } });
  expect((await ask({ action: "create", type: "task", id, spaceId: project, data })).status).toBe(200); // a safe retry
  const refused = async (more: object) => (await ask({ action: "update", type: "task", id, ...more })).status;
  expect(await refused({ data: { slug: "generated" } })).toBe(400);
  expect(await refused({ data: { privateNote: "not listed" } })).toBe(400);
  expect(await refused({ data: { status: "no such status" } })).toBe(400);
  expect(await refused({ id: "no uuid", data: { title: "x" } })).toBe(400);
  expect(await refused({ id: uuid("nobody"), data: { title: "x" } })).toBe(404);
  expect((await ask({ action: "update", type: "comment", id, data: { body: "x" } })).status).toBe(400);
  expect((await ask({ action: "get", type: "task", id })).body.data).toMatchObject({ title: "By the API" });
  expect((await ask({ action: "delete", type: "task", id })).status).toBe(200);
  expect((await ask({ action: "get", type: "task", id })).status).toBe(404);
});
