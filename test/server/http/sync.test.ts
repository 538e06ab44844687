import { expect, test } from "vitest";
import { spaceState } from "../../../src/protocol/messages.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db, { heartbeatMs: 100 });
const session = useSession(db);

const say = (spaceId: string, name: string) =>
  session.query("insert into public.intentions (location_id, name) values ($1, $2)", [spaceId, name]);

function syncUrl(spaceId: string, query: Record<string, string> = {}): URL {
  const url = new URL("/api/sync", relay.current.url);
  url.search = String(new URLSearchParams({ spaceId, ...query }));
  return url;
}

async function state(spaceId: string, query: Record<string, string> = {}) {
  const response = await fetch(syncUrl(spaceId, query));
  expect(response.status).toBe(200);
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into it
  return (await response.json()) as any;
}

test("without SSE it is the complete state once, with exactly the keys of the wire", async () => {
  const spaceId = await newSpace(relay.current);
  await say(spaceId, "a");
  const response = await fetch(syncUrl(spaceId));
  expect(response.headers.get("content-type")).toMatch(/^application\/json/);
  expect(response.headers.get("vary")).toMatch(/\baccept\b/i);
  const body = spaceState.strict().parse(await response.json());
  expect(body).toEqual({
    spaceId,
    version: 2,
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    beings: [expect.objectContaining({ id: spaceId })],
    intentions: [expect.objectContaining({ name: "a" })],
    cursor: expect.stringMatching(/^[0-9a-f]{16}\.2$/),
    hasMore: false,
  });
  expect(response.headers.get("etag")).toContain(`"${body.cursor}"`);
});

test("a poll with the ETag is a 304 without a body while nothing changed, and a 200 after a change", async () => {
  const spaceId = await newSpace(relay.current);
  const first = await fetch(syncUrl(spaceId));
  expect(first.headers.get("cache-control")).toBe("private, no-cache"); // what a cookie lets one read is not another's
  const { cursor } = (await first.json()) as { cursor: string };
  const etag = first.headers.get("etag") as string;
  const poll = (ifNoneMatch: string) =>
    fetch(syncUrl(spaceId), { headers: { "If-None-Match": ifNoneMatch } });
  for (const tag of [
    etag,
    `W/"${cursor}"`,
    `"${cursor}"`,
    `"x", W/"${cursor}" ,"y"`,
    `"x","${cursor}"`,
    "*",
  ]) {
    const again = await poll(tag);
    expect([again.status, await again.text(), again.headers.get("etag")], tag).toEqual([304, "", etag]);
  }
  for (const tag of ['"x"', cursor, `W/"${cursor}0"`]) expect((await poll(tag)).status, tag).toBe(200);
  await say(spaceId, "new");
  const changed = await poll(etag);
  expect(changed.status).toBe(200);
  expect(await changed.json()).toMatchObject({ version: 2, intentions: [{ name: "new" }] });
  expect(changed.headers.get("etag")).not.toBe(etag);
});

test("P11: a poll with the ETag of before sync.reset() is a 200", async () => {
  const spaceId = await newSpace(relay.current);
  const etag = (await fetch(syncUrl(spaceId))).headers.get("etag") as string;
  await session.run("select sync.reset()");
  expect((await fetch(syncUrl(spaceId), { headers: { "If-None-Match": etag } })).status).toBe(200);
});

test("types says which entities come, in any order", async () => {
  const spaceId = await newSpace(relay.current);
  await say(spaceId, "a");
  for (const types of ["beings,intentions", "intentions,beings"]) {
    expect(await state(spaceId, { types })).toMatchObject({
      beings: [{ id: spaceId }],
      intentions: [{ name: "a" }],
    });
  }
  const beings = await state(spaceId, { types: "beings" });
  expect([beings.beings.length, "intentions" in beings, beings.hasMore]).toEqual([1, false, false]);
  const intentions = await state(spaceId, { types: "intentions" });
  expect([intentions.intentions.length, "beings" in intentions]).toEqual([1, false]);
});

test("limit keeps the newest messages, and hasMore says what is left out; without it all come", async () => {
  const spaceId = await newSpace(relay.current);
  await session.query(
    "insert into public.intentions (location_id, name) select $1, n::text from generate_series(1, 150) n",
    [spaceId],
  );
  const all = await state(spaceId);
  expect([all.intentions.length, all.hasMore]).toEqual([150, false]);
  const few = await state(spaceId, { limit: "2" });
  expect([few.intentions.map((each: { name: string }) => each.name), few.hasMore]).toEqual([
    ["149", "150"],
    true,
  ]);
  const none = await state(spaceId, { limit: "0" });
  expect([none.intentions, none.hasMore, none.beings.length]).toEqual([[], true, 1]);
  expect((await state(spaceId, { limit: "150" })).hasMore).toBe(false);
});

test("over SSE every message is the complete state, with what changed when that was one entity", async () => {
  const spaceId = await newSpace(relay.current);
  const stream = await openStream(syncUrl(spaceId));
  expect(stream.response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const change = async (version: number, ...statements: string[]) => {
    await session.run("begin", ...statements.map((sql) => sql.replaceAll("$space", spaceId)), "commit");
    const states = await stream.until((all) => all.at(-1)?.version === version);
    spaceState.strict().parse(states.at(-1));
    return states.at(-1);
  };
  await stream.until((all) => all.length === 1);
  expect(
    await change(2, "insert into public.intentions (id, location_id) values ('m', '$space')"),
  ).toMatchObject({
    beings: [{ id: spaceId }],
    intentions: [{ id: "m" }],
    changeInfo: { type: "add", entityType: "intention", entityId: "m" },
  });
  expect(await change(3, "update public.intentions set name = 'n' where id = 'm'")).toMatchObject({
    beings: [{ id: spaceId }],
    intentions: [{ name: "n" }],
    changeInfo: { type: "update", entityType: "intention", entityId: "m" },
  });
  expect(await change(4, "delete from public.intentions where id = 'm'")).toMatchObject({
    intentions: [],
    changeInfo: { type: "delete", entityType: "intention", entityId: "m" },
  });
  expect(await change(5, "insert into public.beings (id, location_id) values ('b', '$space')")).toMatchObject(
    {
      beings: [{ id: spaceId }, { id: "b" }],
      changeInfo: { type: "add", entityType: "being", entityId: "b" },
    },
  );
  const several = await change(
    6,
    "insert into public.intentions (location_id) values ('$space')",
    "delete from public.beings where id = 'b'",
  );
  expect([several.beings.length, several.intentions.length, "changeInfo" in several]).toEqual([1, 1, false]);
  const ids = stream.messages.filter((message) => !message.event).map((message) => message.id);
  expect(ids.at(-1)).toBe(several.cursor);
  expect("changeInfo" in JSON.parse(stream.messages[0]?.data ?? "")).toBe(false);
  stream.close();
});

test("a second reader of a feed gets the state at once, and each change like the first", async () => {
  const spaceId = await newSpace(relay.current);
  const streams = [await openStream(syncUrl(spaceId))];
  await streams[0]?.until((all) => all.length > 0);
  streams.push(await openStream(syncUrl(spaceId)));
  await streams[1]?.until((all) => all.at(-1)?.version === 1);
  await say(spaceId, "both");
  for (const stream of streams) {
    const states = await stream.until((all) => all.at(-1).version === 2);
    expect(states.at(-1).intentions).toMatchObject([{ name: "both" }]);
    stream.close();
  }
});

test("a feed of beings is not woken by messages, and one of both kinds is", async () => {
  const spaceId = await newSpace(relay.current);
  const beings = await openStream(syncUrl(spaceId, { types: "beings" }));
  const both = await openStream(syncUrl(spaceId));
  for (const stream of [beings, both]) await stream.until((all) => all.length === 1);
  for (const name of ["1", "2", "3"]) await say(spaceId, name);
  await both.until((all) => all.at(-1).version === 4);
  await session.query("insert into public.beings (id, location_id) values ('late', $1)", [spaceId]);
  const states = await beings.until((all) => all.at(-1).version === 5);
  expect(states.map((each) => each.version)).toEqual([1, 5]);
  expect(states[1].beings).toMatchObject([{ id: spaceId }, { id: "late" }]);
  beings.close();
  both.close();
});
