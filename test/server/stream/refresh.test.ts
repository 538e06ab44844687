import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { Session, useSession } from "../../support/postgres/session.js";
import { faults } from "../../support/relay/feed.js";
import { useRelay } from "../../support/relay/relay.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

// What a DBA changes later: only those whom it concerns take a new state.

const db = useDatabase();
const relay = useRelay(db);
const s = useSession(db);

const track = (columns: string[]) =>
  s.run(
    `select sync.track('public.tasks', space => 'project_id', columns => array[${columns.map((c) => `'${c}'`)}], name => 'task')`,
  );

beforeAll(async () => {
  await s.run(
    "create table tasks (id bigint primary key, project_id text, title text, note text not null default 'private')",
    "insert into beings (id, location_id) values ('ann', 'p1'), ('bob', 'chat')",
  );
  await track(["id", "title"]);
  await s.run("call sync.fill('task')");
  await s.run("insert into tasks values (1, 'p1', 'one'), (2, 'p2', 'two'), (3, 'was', 'three')");
  await s.run("insert into beings (id, location_id) values ('eve', 'was')", "delete from tasks where id = 3");
});

const ROOMS = ["p1", "p2", "was", "chat"] as const;

/** What readers of each space get while the work is done; in each, a being comes afterwards. */
async function told(work: () => Promise<unknown>) {
  const streams = await Promise.all(
    ROOMS.map((spaceId) => openStream(streamUrl(relay.current.url, spaceId))),
  );
  await Promise.all(streams.map((stream) => stream.until((events) => events.length === 1)));
  await work();
  for (const spaceId of ROOMS) {
    await s.query("insert into beings (name, location_id) values ('the end', $1)", [spaceId]);
  }
  const isEnd = (event: { data?: { name: string } }) => event.data?.name === "the end";
  const hasEnd = (event: { beings?: { name: string }[] }) =>
    event.beings?.some(({ name }) => name === "the end");
  const all = await Promise.all(
    streams.map((stream) =>
      stream.until((events) => events.slice(1).some((event) => isEnd(event) || hasEnd(event))),
    ),
  );
  for (const stream of streams) stream.close();
  await s.run("delete from beings where name = 'the end'");
  expect(await faults(s)).toEqual([]);
  return Object.fromEntries(
    ROOMS.map((room, n) => [room, (all[n] ?? []).slice(1).filter((event) => !isEnd(event))]),
  );
}

const versions = () => s.query("select space_id, version from sync.spaces order by space_id");
const nothing = { p1: [], p2: [], was: [], chat: [] };
const stateWith = (task: object) =>
  expect.objectContaining({ type: "space-sync", entities: { task: [task] } });

test("a new private column raises no version and needs nothing, in sessions from before it, too", async () => {
  const before = await Session.open(db);
  await before.run("update tasks set title = title");
  const was = await versions();
  await s.run("alter table tasks add column secret text not null default 'TOP SECRET'");
  await before.run("update tasks set secret = 'TOP SECRET 2', note = 'still private'");
  await s.run("update tasks set secret = 'TOP SECRET 3'");
  await s.run("select sync.record()");
  expect(await versions()).toEqual(was);
  expect(
    await told(() => before.run("update tasks set title = 'ONE', secret = 'TOP SECRET 4' where id = 1")),
  ).toEqual({
    ...nothing,
    p1: [expect.objectContaining({ type: "task-updated", data: { id: "1", title: "ONE" } })],
  });
});

test("one more column that leaves: those who have rows of the type take a new state, and nobody else", async () => {
  expect(await told(() => track(["id", "title", "note"]))).toEqual({
    ...nothing,
    p1: [stateWith({ id: "1", title: "ONE", note: "still private" })],
    p2: [stateWith({ id: "2", title: "two", note: "still private" })],
  });
  // From then on it is what makes a change.
  expect(await told(() => s.run("update tasks set note = 'open' where id = 2"))).toEqual({
    ...nothing,
    p2: [expect.objectContaining({ type: "task-updated", data: { id: "2", title: "two", note: "open" } })],
  });
});

test("a wire function that was replaced, and sync.refresh(): likewise", async () => {
  const replaced = await told(async () => {
    await s.run(
      `create or replace function sync.task_json(task public.tasks) returns json language sql stable
       set search_path = pg_catalog, pg_temp
       as $$ select json_build_object('id', task.id::text, 'title', upper(task.title)) $$`,
    );
    expect(await s.value("select sync.refresh('task')::int")).toBe(2);
  });
  expect(replaced).toEqual({
    ...nothing,
    p1: [stateWith({ id: "1", title: "ONE" })],
    p2: [stateWith({ id: "2", title: "TWO" })],
  });
});

test("who was away while it was changed takes a new state, too, and nobody else does", async () => {
  const cursors: string[] = [];
  for (const room of ROOMS) {
    cursors.push((await s.value("select sync.current_cursor($1)", [room])) as string);
  }
  await s.run("select sync.refresh('task')");
  for (const [n, room] of ROOMS.entries()) {
    const stream = await openStream(streamUrl(relay.current.url, room, cursors[n]));
    await s.query("insert into beings (name, location_id) values ('later', $1)", [room]);
    const [first] = await stream.until((events) => events.length > 0);
    expect([room, first.type]).toEqual([room, room.startsWith("p") ? "space-sync" : "being-created"]);
    stream.close();
  }
});
