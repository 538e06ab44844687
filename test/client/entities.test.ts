import { expect, expectTypeOf, type TestContext, test } from "vitest";
import { createSpaceClient, type Entity, type SpaceClient } from "../../src/client/index.js";
import type { useEntities, useEntity } from "../../src/react/index.js";
import { useDatabase } from "../support/postgres/database.js";
import { useTracker } from "../support/postgres/tracker.js";
import { closing, eventually, expectEqual, follow, followed, PATIENTLY } from "../support/relay/follow.js";
import { HttpProxy, type Verdict } from "../support/relay/http-proxy.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

/** A task, as `useTracker` tracks it. */
interface Task {
  id: string;
  projectId: string;
  title: string;
  isDone: boolean;
}
declare module "../../src/client/index.js" {
  interface Entities {
    task: Task;
  }
}

const db = useDatabase();
const relay = useRelay(db);
const tracker = useTracker(db);

/** A client of a project with two tasks, and the proxy before its relay. */
async function begin(context: TestContext) {
  const projectId = tracker.newProject();
  const ids = [await tracker.write(projectId, "a"), await tracker.write(projectId, "b")] as const;
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  const client = await followed(context, { url: proxy.url, spaceId: projectId });
  return { client, proxy, projectId, ids };
}
const titles = (client: SpaceClient) =>
  client
    .getEntities("task")
    .map(({ title }) => title)
    .sort();
const posts = (proxy: HttpProxy, ...verdicts: Verdict[]) => {
  proxy.rule = ({ method }) => (method === "POST" && verdicts.shift()) || "pass";
};
test("P6: what anybody writes to a tracked table is in the client: it comes, changes, moves and goes", async (context) => {
  const { client, projectId, ids } = await begin(context);
  expect(titles(client)).toEqual(["a", "b"]);
  expect(client.getEntity("task", ids[0])).toEqual({ id: ids[0], projectId, title: "a", isDone: false });
  const added = await tracker.write(projectId, "c");
  await tracker.session.query("update tracker.tasks set title = 'A' where id = $1", [ids[0]]);
  await eventually(() => expect(titles(client)).toEqual(["A", "b", "c"]));
  await expectEqual(client, relay.current.url);
  await tracker.session.query("update tracker.tasks set project_id = 'elsewhere' where id = $1", [added]);
  await tracker.session.query("delete from tracker.tasks where id = $1", [ids[1]]);
  await eventually(() => expect(titles(client)).toEqual(["A"]));
  await expectEqual(client, relay.current.url);
});

test("rows are sorted by ID; lists and rows that do not change stay the same objects", async (context) => {
  const { client, projectId, ids } = await begin(context);
  for (const title of ["c", "d", "e"]) await tracker.write(projectId, title);
  await expectEqual(client, relay.current.url);
  const before = client.getEntities("task");
  expect(before.map(({ id }) => id)).toEqual(before.map(({ id }) => id).sort());
  await client.createIntention({ content: ["of no task"] });
  expect(client.getEntities("task")).toBe(before);
  await tracker.session.query("update tracker.tasks set is_done = true where id = $1", [ids[0]]);
  await eventually(() => expect(client.getEntity("task", ids[0])).toMatchObject({ isDone: true }));
  const now = client.getEntities("task");
  expect(now.filter((row, index) => row !== before[index]).map(({ id }) => id)).toEqual([ids[0]]);
});

test("what no row is of has one empty list, whatever it is called", async (context) => {
  const { client } = await begin(context);
  for (const type of ["note", "constructor", "toString"]) {
    expect(client.getEntities(type)).toEqual([]);
    expect(client.getEntities(type)).toBe(client.getEntities("note"));
    expect(client.getEntity(type, "1")).toBeUndefined();
  }
});

test("a change shows at once, resolves with the row as it is stored, and its event makes it one of all", async (context) => {
  const { client, projectId, ids } = await begin(context);
  const stored = client.createEntity("task", { title: "new" });
  const shown = client.getEntities("task").find(({ title }) => title === "new");
  expect(client.getSnapshot().pendingIds).toEqual(new Set([shown?.id]));
  expect(await stored).toEqual({ id: shown?.id, projectId, title: "new", isDone: false });
  const changed = client.updateEntity("task", ids[0], { isDone: true });
  expect(client.getEntity("task", ids[0])).toEqual({ id: ids[0], projectId, title: "a", isDone: true });
  expect(await changed).toMatchObject({ title: "a", isDone: true });
  const gone = client.deleteEntity("task", ids[1]);
  expect(titles(client)).toEqual(["a", "new"]);
  expect(await gone).toMatchObject({ id: ids[1], title: "b" });
  await expectEqual(client, relay.current.url);
  expect(await tracker.titles(projectId)).toEqual(["a", "new"]);
});

test("a change that is refused is taken back, and says why", async (context) => {
  const { client, ids } = await begin(context);
  for (const [change, code] of [
    [() => client.updateEntity("task", ids[0], { title: "refused" }), "invalid"],
    [() => client.updateEntity<string>("task", ids[0], { note: "which is private" }), "invalid"],
    [() => client.createEntity("note", { text: "of no table" }), "invalid"],
    [() => client.deleteEntity("task", "5f1e8a52-0000-4000-8000-000000000000"), "not_found"],
  ] as const) {
    await expect(change()).rejects.toMatchObject({ code });
    expect(client.getSnapshot()).toMatchObject({ pendingIds: new Set(), error: { code } });
  }
  await expectEqual(client, relay.current.url);
});

test("P3: a row that a change takes to another space is here until the event, and there from then on", async (context) => {
  const { client, proxy, ids } = await begin(context);
  const other = await newSpace(relay.current);
  const there = await followed(context, { url: relay.current.url, spaceId: other });
  proxy.streamDelayMs = 300;
  expect(await client.updateEntity("task", ids[0], { projectId: other })).toMatchObject({ projectId: other });
  await expectEqual(client, relay.current.url);
  await expectEqual(there, relay.current.url);
  expect([titles(client), titles(there)]).toEqual([["b"], ["a"]]);
  // And back, by the client of the other space.
  expect(await there.updateEntity("task", ids[0], { projectId: client.spaceId })).toMatchObject({
    title: "a",
  });
  await expectEqual(client, relay.current.url);
  await expectEqual(there, relay.current.url);
  expect([titles(client), titles(there)]).toEqual([["a", "b"], []]);
});

test("P3: a row that comes back shows as it is now, though its other space was further on", async (context) => {
  const { client, projectId, ids } = await begin(context);
  const other = await newSpace(relay.current);
  for (let n = 0; n < 20; n++) await tracker.write(other, `${n}`);
  await client.updateEntity("task", ids[0], { projectId: other });
  await eventually(() => expect(titles(client)).toEqual(["b"]));
  const back = "update tracker.tasks set project_id = $1, title = 'back' where id = $2";
  await tracker.session.query(back, [projectId, ids[0]]);
  await eventually(() => expect(titles(client)).toEqual(["b", "back"]));
  await expectEqual(client, relay.current.url);
});

test("a row that has left for another space is changed and deleted there, as a message is", async (context) => {
  const { client, proxy, ids } = await begin(context);
  const other = await newSpace(relay.current);
  proxy.streamDelayMs = 300;
  const all = [
    client.updateEntity("task", ids[0], { projectId: other }),
    client.updateEntity("task", ids[1], { projectId: other }),
    client.updateEntity("task", ids[0], { title: "A" }),
    client.deleteEntity("task", ids[1]),
  ];
  expect((await Promise.all(all)).map(({ title }) => title)).toEqual(["a", "b", "A", "b"]);
  expect(await tracker.titles(other)).toEqual(["A"]);
  await expectEqual(client, relay.current.url);
  expect([titles(client), client.getSnapshot().error]).toEqual([[], null]);
});

test("what is created in another space shows here until the server has it there", async (context) => {
  const { client } = await begin(context);
  const other = await newSpace(relay.current);
  const stored = client.createEntity("task", { title: "theirs", projectId: other });
  expect(titles(client)).toEqual(["a", "b", "theirs"]);
  await stored;
  await eventually(() => expect(titles(client)).toEqual(["a", "b"]));
  await expectEqual(client, relay.current.url);
});

test("a change of which the answer is lost is sent again, and is made once", async (context) => {
  const { client, proxy, projectId, ids } = await begin(context);
  const other = await newSpace(relay.current);
  posts(proxy, "lose answer", "pass", "lose answer", "pass", "pass", "pass", "lose answer");
  const [row] = await Promise.all([
    client.createEntity("task", { title: "once" }),
    client.updateEntity("task", ids[0], { title: "moved", projectId: other }),
    client.deleteEntity("task", ids[1]),
  ]);
  expect(row).toMatchObject({ title: "once" });
  // What finds no row here is asked for wherever that is.
  const asked = proxy.of("/api/entities").map(({ body }) => `${body.action}${body.spaceId ? " here" : ""}`);
  expect(asked).toEqual([
    ...["create here", "create here", "update here", "update here", "update"],
    ...["delete here", "delete here", "delete"],
  ]);
  expect([await tracker.titles(projectId), await tracker.titles(other)]).toEqual([["once"], ["moved"]]);
  expect(client.getSnapshot().error).toBeNull();
  await expectEqual(client, relay.current.url);
});

test("a creation of which the answer is lost resolves with the row as somebody else has changed it since", async (context) => {
  const { client, proxy, projectId } = await begin(context);
  const write = "update tracker.tasks set title = 'theirs' where project_id = $1 and title = 'mine'";
  posts(proxy, { lose: () => tracker.session.query(write, [projectId]) });
  expect(await client.createEntity("task", { title: "mine" })).toMatchObject({ title: "theirs" });
  await expectEqual(client, relay.current.url);
});

test("changes wait while the relay is away, those of one row as one, and arrive in order", async (context) => {
  const { client, proxy, projectId, ids } = await begin(context);
  let isAway = true;
  proxy.rule = () => (isAway ? "lose request" : "pass");
  proxy.cut();
  const first = client.createEntity("task", { title: "first" });
  const all = [
    first,
    client.updateEntity("task", ids[0], { title: "x" }),
    client.updateEntity("task", ids[0], { isDone: true }),
    client.deleteEntity("task", ids[1]),
  ];
  await expect.poll(() => client.getSnapshot().mode, PATIENTLY).toBe("cache");
  expect(titles(client)).toEqual(["first", "x"]);
  expect(await tracker.titles(projectId)).toEqual(["a", "b"]);
  proxy.asked.length = 0;
  isAway = false;
  await Promise.all(all);
  expect(
    proxy.of("/api/entities").flatMap(({ body, status }) => (status ? [body.data ?? null] : [])),
  ).toEqual([{ title: "first" }, { title: "x", isDone: true }, null]);
  await expectEqual(client, relay.current.url);
});

test("without a stream they come with the polled state", async (context) => {
  const projectId = tracker.newProject();
  await tracker.write(projectId, "a");
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  proxy.rule = ({ path }) => (path === "/api/stream" ? "lose request" : "pass");
  const client = follow(context, { url: proxy.url, spaceId: projectId });
  await eventually(() => expect([client.getSnapshot().mode, titles(client)]).toEqual(["polling", ["a"]]));
  await tracker.write(projectId, "b");
  await client.refresh();
  expect(titles(client)).toEqual(["a", "b"]);
});

test("P3: a table that is tracked later, taken anew, and no longer tracked comes and goes with its rows", async (context) => {
  const { client } = await begin(context);
  await tracker.session.run(
    "create table tracker.labels (id bigint primary key, project text)",
    `insert into tracker.labels values (9, '${client.spaceId}'), (10, '${client.spaceId}')`,
    "select sync.track('tracker.labels', space => 'project', columns => array['id'], name => 'constructor')",
    "call sync.fill('constructor')",
  );
  // As texts are sorted: it is one.
  await eventually(() => expect(client.getEntities("constructor")).toEqual([{ id: "10" }, { id: "9" }]));
  await expectEqual(client, relay.current.url);
  await tracker.session.query("select sync.untrack('constructor')");
  await eventually(() => expect(client.getEntities("constructor")).toEqual([]));
  await expectEqual(client, relay.current.url);
});

test("rows have the type that is declared, that is said, or one with an ID", async () => {
  const client = createSpaceClient({ url: "http://127.0.0.1:1", spaceId: "types", tabs: false });
  client.close();
  expectTypeOf(client.getEntities("task")).toEqualTypeOf<readonly Task[]>();
  expectTypeOf(client.getEntity("task", "1")).toEqualTypeOf<Task | undefined>();
  expectTypeOf(client.getEntities<{ id: string; n: number }>("x")).toEqualTypeOf<
    readonly { id: string; n: number }[]
  >();
  expectTypeOf(client.getEntities("note")).toEqualTypeOf<readonly Entity[]>();
  expectTypeOf(client.createEntity<"task">).returns.resolves.toEqualTypeOf<Task>();
  expectTypeOf(client.updateEntity<"task">)
    .parameter(2)
    .toHaveProperty("isDone");
  expectTypeOf(client.updateEntity<"task">)
    .parameter(2)
    .not.toHaveProperty("id");
  expectTypeOf<typeof useEntities<never, "task">>().returns.toEqualTypeOf<readonly Task[]>();
  expectTypeOf<typeof useEntity<Task>>().returns.toEqualTypeOf<Task | undefined>();
  // @ts-expect-error a task has no such field
  await expect(client.createEntity("task", { titel: "typo" })).rejects.toMatchObject({ code: "unavailable" });
  // @ts-expect-error it is no text
  await expect(client.updateEntity("task", "1", { isDone: "yes" })).rejects.toMatchObject({
    code: "unavailable",
  });
});
