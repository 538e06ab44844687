import { BasicIndex, createCollection, createLiveQueryCollection, eq } from "@tanstack/db";
import { beforeAll, expect, expectTypeOf, type TestContext, test } from "vitest";
import type { Intention, SpaceClient } from "../../src/client/index.js";
import { spacefeedCollectionOptions } from "../../src/tanstack-db/index.js";
import { useDatabase } from "../support/postgres/database.js";
import { useTracker } from "../support/postgres/tracker.js";
import { closing, eventually, follow, followed } from "../support/relay/follow.js";
import { HttpProxy } from "../support/relay/http-proxy.js";
import { startTestRelay, useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";

interface Task {
  id: string;
  projectId: string;
  title: string;
  isDone: boolean;
}
interface Person {
  id: string;
  name: string;
  taskId: string;
}

const db = useDatabase();
const relay = useRelay(db);
const tracker = useTracker(db);
beforeAll(async () => {
  await tracker.session.run(
    `create table tracker.people (id uuid primary key default gen_random_uuid(), project_id text, name text, task_id uuid)`,
    `select sync.track('tracker.people', space => 'project_id', columns => array['id', 'name', 'task_id'], name => 'person')`,
  );
});

/** A collection that is cleaned up when its test ends. */
function collect<C extends { cleanup(): unknown }>(context: TestContext, collection: C): C {
  context.onTestFinished(async () => {
    await collection.cleanup();
  });
  return collection;
}
function tasksOf(context: TestContext, client: SpaceClient) {
  // Without an index TanStack DB warns of joins by `id`.
  const index = { autoIndex: "eager", defaultIndexType: BasicIndex } as const;
  return collect(
    context,
    createCollection(spacefeedCollectionOptions<Task>({ client, type: "task", ...index })),
  );
}
type Tasks = ReturnType<typeof tasksOf>;
const titles = (tasks: Tasks) => tasks.toArray.map(({ title }) => title).sort();
const stripped = (rows: readonly object[]) =>
  rows.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !name.startsWith("$"))));

/** A project with two tasks, its collection, and the proxy before its relay. */
async function begin(context: TestContext) {
  const projectId = tracker.newProject();
  const ids = [await tracker.write(projectId, "a"), await tracker.write(projectId, "b")] as const;
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  const client = await followed(context, { url: proxy.url, spaceId: projectId });
  const tasks = tasksOf(context, client);
  await tasks.preload();
  /** Each change that the collection has told of. */
  const told: string[] = [];
  const tell = (changes: readonly { type: string; value: Task }[]) => {
    for (const { type, value } of changes) told.push(`${type} ${value.title}`);
  };
  const subscription = tasks.subscribeChanges(tell, { includeInitialState: true });
  context.onTestFinished(() => subscription.unsubscribe());
  told.length = 0;
  return { projectId, ids, proxy, client, tasks, told };
}
const task = (projectId: string, title: string): Task => ({
  id: crypto.randomUUID(),
  projectId,
  title,
  isDone: false,
});
/** The collection, with no optimistic state left, is what the client has. */
const expectSettled = (tasks: Tasks, client: SpaceClient) =>
  eventually(() => {
    expect(tasks.toArray.every((row) => (row as { $synced?: boolean }).$synced)).toBe(true);
    expect(stripped(tasks.toArray)).toEqual(client.getEntities("task"));
  });

test("P6: a live query that joins two tracked tables follows what anybody writes", async (context) => {
  const { projectId, ids, client, tasks } = await begin(context);
  const people = createCollection(spacefeedCollectionOptions<Person>({ client, type: "person" }));
  collect(context, people);
  const board = createLiveQueryCollection((query) =>
    query
      .from({ person: people })
      .innerJoin({ task: tasks }, ({ person, task }) => eq(person.taskId, task.id))
      .orderBy(({ person }) => person.name)
      .select(({ person, task }) => ({ name: person.name, title: task.title })),
  );
  collect(context, board);
  await board.preload();
  const lines = () => board.toArray.map(({ name, title }) => `${name}: ${title}`);
  expect(lines()).toEqual([]);
  await tracker.session.query(
    "insert into tracker.people (project_id, name, task_id) values ($1, 'Ada', $2), ($1, 'Bob', $3)",
    [projectId, ids[0], ids[1]],
  );
  await eventually(() => expect(lines()).toEqual(["Ada: a", "Bob: b"]));
  await tracker.session.query("update tracker.tasks set title = 'A' where id = $1", [ids[0]]);
  await eventually(() => expect(lines()).toEqual(["Ada: A", "Bob: b"]));
  await tracker.session.query("update tracker.people set task_id = $1 where project_id = $2", [
    ids[0],
    projectId,
  ]);
  await eventually(() => expect(lines()).toEqual(["Ada: A", "Bob: A"]));
  await tracker.session.query("delete from tracker.tasks where id = $1", [ids[0]]);
  await eventually(() => expect(lines()).toEqual([]));
  expectTypeOf(board.toArray[0]).toExtend<{ name: string; title: string } | undefined>();
});

test("a mutation shows at once, and its row stays until the server's takes its place", async (context) => {
  const { projectId, ids, proxy, client, tasks, told } = await begin(context);
  proxy.streamDelayMs = 300; // the answer is there before the event
  const made = task(projectId, "c");
  const inserted = tasks.insert(made);
  expect(tasks.get(made.id)).toMatchObject({ title: "c", $synced: false });
  await inserted.isPersisted.promise;
  expect(tasks.get(made.id)).toMatchObject({ title: "c", $synced: true });
  await tasks.update(ids[0], (draft) => {
    draft.isDone = true;
  }).isPersisted.promise;
  expect(tasks.get(ids[0])).toMatchObject({ title: "a", isDone: true, $synced: true });
  await tasks.delete(ids[1]).isPersisted.promise;
  expect(titles(tasks)).toEqual(["a", "c"]);
  await expectSettled(tasks, client);
  await eventually(() => expect(client.getSnapshot().pendingIds.size).toBe(0));
  expect(await tracker.titles(projectId)).toEqual(["a", "c"]);
  expect(told.filter((change) => change.startsWith("delete"))).toEqual(["delete b"]);
});

test("several rows of one mutation are changes of their own, in their order", async (context) => {
  const { projectId, client, tasks, proxy } = await begin(context);
  const rows = ["c", "d", "e"].map((title) => task(projectId, title));
  await tasks.insert(rows).isPersisted.promise;
  const sent = proxy.of("/api/entities").map(({ body }) => (body as { id: string }).id);
  expect(sent).toEqual(rows.map(({ id }) => id));
  await tasks.delete(rows.map(({ id }) => id)).isPersisted.promise;
  expect(titles(tasks)).toEqual(["a", "b"]);
  await expectSettled(tasks, client);
});

test("a refused mutation is taken back, and says why", async (context) => {
  const { projectId, ids, client, tasks } = await begin(context);
  const before = stripped(tasks.toArray);
  const refused = (mutation: { isPersisted: { promise: Promise<unknown> } }) =>
    expect(mutation.isPersisted.promise).rejects.toMatchObject({ code: "invalid" });
  const made = tasks.insert(task(projectId, "refused"));
  expect(titles(tasks)).toEqual(["a", "b", "refused"]);
  await refused(made);
  const changed = tasks.update(ids[0], (draft) => {
    draft.title = "refused";
  });
  expect(titles(tasks)).toEqual(["b", "refused"]);
  await refused(changed);
  expect(stripped(tasks.toArray)).toEqual(before);
  await expectSettled(tasks, client);
  expect(client.getSnapshot().error).toMatchObject({ code: "invalid" });
  await tasks.insert(task(projectId, "c")).isPersisted.promise; // and it goes on
  expect(titles(tasks)).toEqual(["a", "b", "c"]);
});

test("P3: through a restart of the relay nothing is lost: what others write, and what is changed here meanwhile", async (context) => {
  const projectId = tracker.newProject();
  const id = await tracker.write(projectId, "a");
  const first = await startTestRelay(db);
  const client = await followed(context, { url: first.url, spaceId: projectId });
  const tasks = tasksOf(context, client);
  await tasks.preload();
  await first.close();
  const waiting = tasks.insert(task(projectId, "mine"));
  await tracker.write(projectId, "theirs");
  await tracker.session.query("update tracker.tasks set title = 'A' where id = $1", [id]);
  expect(titles(tasks)).toEqual(["a", "mine"]);
  expect(tasks.status).toBe("ready"); // what is known stays of use
  closing(context, await startTestRelay(db, { port: Number(new URL(first.url).port) }));
  await waiting.isPersisted.promise;
  await eventually(() => expect(titles(tasks)).toEqual(["A", "mine", "theirs"]));
  await expectSettled(tasks, client);
});

test("P11: after a snapshot only what it changes is told", async (context) => {
  const { projectId, ids, proxy, client, tasks, told } = await begin(context);
  proxy.rule = () => "lose request";
  proxy.cut();
  await tracker.session.query("delete from tracker.tasks where id = $1", [ids[1]]);
  await tracker.write(projectId, "c");
  await tracker.session.query("select sync.reset()");
  proxy.rule = () => "pass";
  await eventually(() => expect(titles(tasks)).toEqual(["a", "c"]));
  await expectSettled(tasks, client);
  expect(told).toEqual(["insert c", "delete b"]);
});

test("beings and messages are collections, too, without the fields that the server sets", async (context) => {
  const spaceId = await newSpace(relay.current);
  const client = await followed(context, { url: relay.current.url, spaceId });
  const messages = createCollection(spacefeedCollectionOptions({ client, type: "intention" }));
  collect(context, messages);
  await messages.preload();
  const message: Intention = {
    ...{ id: "said", messageId: "", name: "", type: "utterance", state: "active", ownerId: null },
    ...{ locationId: spaceId, content: ["Hello"], createdAt: "", modifiedAt: "" },
  };
  await messages.insert(message).isPersisted.promise;
  expect(messages.get("said")).toMatchObject({
    content: ["Hello"],
    messageId: expect.stringMatching(/^msg_/),
  });
  await messages.update("said", (draft) => {
    draft.state = "complete";
  }).isPersisted.promise;
  const stored = "select state, content from public.intentions where id = 'said'";
  expect(await tracker.session.query(stored)).toEqual([{ state: "complete", content: ["Hello"] }]);
  const beings = createCollection(spacefeedCollectionOptions({ client, type: "being" }));
  collect(context, beings);
  await beings.preload();
  expect(beings.toArray.map(({ id, type }) => [id, type])).toEqual([[spaceId, "space"]]);
});

test("what the client itself changes is in the collection at once", async (context) => {
  const { client, tasks } = await begin(context);
  const stored = client.createEntity("task", { title: "c" } as object);
  expect(titles(tasks)).toEqual(["a", "b", "c"]);
  await stored;
  await expectSettled(tasks, client);
});

test("a space that is refused is an error of the collection, until it is there", async (context) => {
  const spaceId = tracker.newProject();
  const client = follow(context, { url: relay.current.url, spaceId });
  const tasks = tasksOf(context, client);
  await expect(tasks.preload()).rejects.toMatchObject({ code: "not_found" });
  expect(tasks.status).toBe("error");
  await tracker.write(spaceId, "a");
  await eventually(() => expect([tasks.status, ...titles(tasks)]).toEqual(["ready", "a"]));
});

test("a relay that is away is waited for", async (context) => {
  const proxy = closing(context, await HttpProxy.before(relay.current.url));
  proxy.rule = () => "lose request";
  const spaceId = tracker.newProject();
  await tracker.write(spaceId, "a");
  const client = follow(context, { url: proxy.url, spaceId });
  const tasks = tasksOf(context, client);
  const ready = tasks.preload();
  await eventually(() => expect(client.getSnapshot().fault).not.toBeNull());
  expect(tasks.status).toBe("loading");
  proxy.rule = () => "pass";
  await ready;
  expect(titles(tasks)).toEqual(["a"]);
});

test("a collection that is cleaned up hears nothing more, and can be started again", async (context) => {
  const { projectId, client, tasks } = await begin(context);
  await tasks.cleanup();
  await tracker.write(projectId, "c");
  await eventually(() => expect(client.getEntities("task")).toHaveLength(3));
  expect(tasks.status).toBe("cleaned-up");
  await tasks.preload();
  expect(titles(tasks)).toEqual(["a", "b", "c"]);
  await tracker.write(projectId, "d");
  await eventually(() => expect(titles(tasks)).toEqual(["a", "b", "c", "d"]));
});
