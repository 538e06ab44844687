import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { eventsSince, inShort } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);
let epoch: unknown;

const TIMES = "'2024-03-01T12:00Z', '2024-03-01T13:00:00.5+00'";

beforeAll(async () => {
  epoch = await s.value("select sync.epoch()");
  await s.run(
    `insert into beings (id, name, type, owner_id, location_id, metadata, properties, content, created_at, modified_at)
     values ('b', 'Anna', 'guest', 'o', 'shape', '{"k": [1, null]}', '{"p": true}', '[{"t": "x"}]', ${TIMES})`,
    `insert into intentions (id, name, state, location_id, content, created_at, modified_at)
     values ('m', 'n', 'active', 'shape', '["hé\\"llo", 1.50]', ${TIMES})`,
    "insert into intentions (id, location_id) values ('gone', 'shape')",
    "delete from intentions where id = 'gone'",
    "insert into beings (id, location_id) values ('left', 'shape')",
    "delete from beings where id = 'left'",
  );
});

const being = {
  id: "b",
  name: "Anna",
  type: "guest",
  ownerId: "o",
  locationId: "shape",
  metadata: { k: [1, null] },
  properties: { p: true },
  content: [{ t: "x" }],
  createdAt: "2024-03-01T12:00:00.000000Z",
  modifiedAt: "2024-03-01T13:00:00.500000Z",
};
const message = {
  id: "m",
  messageId: "msg_1",
  name: "n",
  type: "utterance",
  state: "active",
  ownerId: null,
  locationId: "shape",
  content: ['hé"llo', 1.5],
  createdAt: "2024-03-01T12:00:00.000000Z",
  modifiedAt: "2024-03-01T13:00:00.500000Z",
};

test("P5: each event has exactly the keys of the wire, and only the last of a group has prev and cursor", async () => {
  expect(await eventsSince(s, "shape", 0)).toStrictEqual([
    { type: "being-created", version: 1, data: being },
    { type: "intention-created", messageId: "msg_1", version: 2, data: message },
    { type: "intention-deleted", messageId: "msg_2", version: 4, id: "gone" },
    { type: "being-deleted", version: 6, id: "left", prev: 0, cursor: `${epoch}.6` },
  ]);
  expect(await eventsSince(s, "shape", 5)).toStrictEqual([
    { type: "being-deleted", version: 6, id: "left", prev: 5, cursor: `${epoch}.6` },
  ]);
});

test("P5: an update is updated to who was there, and created to who was not", async () => {
  await s.run("insert into beings (id, location_id) values ('u', 'update')");
  await s.run("insert into intentions (id, location_id) values ('v', 'update')");
  await s.run("update beings set name = 'x'", "update intentions set name = 'x' where id = 'v'");
  const short = async (since: number) => inShort(await eventsSince(s, "update", since));
  expect(await short(0)).toEqual(["being-created u", "intention-created v"]);
  expect(await short(1)).toEqual(["being-updated u", "intention-created v"]);
  expect(await short(2)).toEqual(["being-updated u", "intention-updated v"]);
  expect((await eventsSince(s, "update", 3))?.at(-1)).toMatchObject({ type: "intention-updated", prev: 3 });
});

test("P5: the events of a version are beings first, then messages by number", async () => {
  await s.query("select setval('sync.message_number', 97)");
  await s.run(
    "begin",
    "insert into intentions (id, location_id) select 'm' || n, 'sorted' from generate_series(1, 4) n",
    "insert into beings (id, location_id) values ('z', 'sorted'), ('a', 'sorted')",
    "commit",
    "insert into beings (id, location_id) values ('0', 'sorted')",
  );
  expect(inShort(await eventsSince(s, "sorted", 0))).toEqual([
    "being-created a",
    "being-created z",
    "intention-created m1",
    "intention-created m2",
    "intention-created m3",
    "intention-created m4",
    "being-created 0",
  ]);
});

test("P9: the events are valid JSON whatever is in them", async () => {
  const odd = `}"{,\\\n\u2028</script>'😀"}`;
  await s.query("insert into beings (id, name, location_id, metadata) values ('odd', $1, 'json', $2)", [
    odd,
    JSON.stringify({ [odd]: odd }),
  ]);
  expect((await eventsSince(s, "json", 0))?.[0]).toMatchObject({
    data: { name: odd, metadata: { [odd]: odd } },
    prev: 0,
  });
});

test("P5: the text of an event has no line break: it is one line of SSE", async () => {
  await s.run(
    `insert into beings (id, location_id, content) values ('l', 'line', '["a\\nb", {"k":  [1,\n2]}]')`,
  );
  const [row] = await s.query("select events from sync.changes_since('{shape,line}', '{0,0}', 10)");
  for (const event of (row?.events ?? []) as string[]) expect(event).not.toMatch(/[\r\n]/);
});
