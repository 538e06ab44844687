import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const LIMIT = 5;
const db = useDatabase();
const relay = useRelay(db, { catchUpLimit: LIMIT });
const session = useSession(db);

const say = async (spaceId: string, name: string) => {
  const insert = "insert into public.intentions (location_id, name) values ($1, $2) returning *";
  return (await session.query(insert, [spaceId, name]))[0] as { message_id: string; created_at: Date };
};
/** With all that was written before. */
const cursorOf = async (spaceId: string) => {
  await session.run("select sync.record()");
  return (await session.value("select sync.current_cursor($1)", [spaceId])) as string;
};

/** What a client that comes with this cursor gets first, up to the version at which it is. */
async function firstOf(spaceId: string, since: string | number | undefined, lastEventId?: string) {
  const headers = lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId };
  await session.run("select sync.record()");
  const stream = await openStream(streamUrl(relay.current.url, spaceId, since), headers);
  const version = Number((await cursorOf(spaceId)).split(".")[1]);
  const events = await stream.until((all) => all.at(-1)?.version === version);
  stream.close();
  return events;
}

// biome-ignore lint/suspicious/noExplicitAny: whatever the wire has
const names = (events: any[]) => events.map((event) => event.data?.name ?? event.type);

test("P3: since is a cursor, a version, a message ID or a time, and the events after it come", async () => {
  const spaceId = await newSpace(relay.current);
  await say(spaceId, "a");
  const b = await say(spaceId, "b");
  const cursor = await cursorOf(spaceId);
  const c = await say(spaceId, "c");
  await say(spaceId, "d");
  const at = (time: unknown) =>
    session.value(
      `select to_char($1::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') from pg_sleep(0)`,
      [time],
    );
  const time = await at(
    await session.value("select created_at::text from public.intentions where message_id = $1", [
      c.message_id,
    ]),
  );
  for (const since of [cursor, 3]) {
    expect(names(await firstOf(spaceId, since)), String(since)).toEqual(["c", "d"]);
  }
  // Who has a message need not have what was committed just before it: that comes once more.
  for (const since of [b.message_id, `${time}Z`, `${time}+00:00`, String(time)]) {
    expect(names(await firstOf(spaceId, since)), String(since)).toEqual(["a", "b", "c", "d"]);
  }
});

test("what a catch-up sends is one group: prev is the version that the client came with", async () => {
  const spaceId = await newSpace(relay.current);
  const cursor = await cursorOf(spaceId);
  for (const name of ["a", "b", "c"]) await say(spaceId, name);
  const events = await firstOf(spaceId, cursor);
  expect(events.map((event) => [event.version, event.prev])).toEqual([
    [2, undefined],
    [3, undefined],
    [4, 1],
  ]);
  expect(events.at(-1).cursor).toBe(await cursorOf(spaceId));
});

test("a client that is where the space is gets nothing, and then what comes", async () => {
  const spaceId = await newSpace(relay.current);
  const stream = await openStream(streamUrl(relay.current.url, spaceId, await cursorOf(spaceId)));
  await say(spaceId, "next");
  expect(names(await stream.until((events) => events.length > 0))).toEqual(["next"]);
  stream.close();
});

test("Last-Event-ID beats since", async () => {
  const spaceId = await newSpace(relay.current);
  const early = await cursorOf(spaceId);
  await say(spaceId, "a");
  const late = await cursorOf(spaceId);
  await say(spaceId, "b");
  expect(names(await firstOf(spaceId, early, late))).toEqual(["b"]);
  expect(names(await firstOf(spaceId, late, early))).toEqual(["a", "b"]);
  expect(names(await firstOf(spaceId, "nonsense", late))).toEqual(["b"]);
});

test("more changed entities behind than CATCH_UP_LIMIT: one space-sync instead of events", async () => {
  const spaceId = await newSpace(relay.current);
  const cursor = await cursorOf(spaceId);
  for (let n = 1; n <= LIMIT; n++) await say(spaceId, `${n}`);
  expect(names(await firstOf(spaceId, cursor))).toEqual(["1", "2", "3", "4", "5"]);
  await say(spaceId, "6");
  const events = await firstOf(spaceId, cursor);
  expect(names(events)).toEqual(["space-sync"]);
  expect(events[0].intentions).toHaveLength(6);
});

test("many changes of few entities are few events: the gap is counted in entities", async () => {
  const spaceId = await newSpace(relay.current);
  const cursor = await cursorOf(spaceId);
  const { message_id } = await say(spaceId, "0");
  for (let n = 1; n <= 3 * LIMIT; n++) {
    await session.query("update public.intentions set name = $1 where message_id = $2", [`${n}`, message_id]);
  }
  expect(names(await firstOf(spaceId, cursor))).toEqual(["15"]);
});

test("a live transaction of more than CATCH_UP_LIMIT changes is one space-sync for who is there", async () => {
  const spaceId = await newSpace(relay.current);
  const stream = await openStream(streamUrl(relay.current.url, spaceId));
  await stream.until((events) => events.length === 1);
  await session.query(
    "insert into public.intentions (location_id) select $1 from generate_series(1, $2::integer)",
    [spaceId, LIMIT + 1],
  );
  const events = await stream.until((all) => all.length === 2);
  expect(events[1]).toMatchObject({ type: "space-sync", version: 2 });
  await say(spaceId, "next");
  expect((await stream.until((all) => all.length === 3))[2]).toMatchObject({ prev: 2, version: 3 });
  stream.close();
});

test("P3: a time before the first message gets a space-sync, since beings may have come between", async () => {
  const spaceId = await newSpace(relay.current);
  for (const name of ["a", "b"]) await say(spaceId, name);
  expect(names(await firstOf(spaceId, "2001-01-01"))).toEqual(["space-sync"]);
});

test.each([
  ["a version that is not reached yet", "99"],
  ["a message that is not there", "msg_999999"],
  ["no since at all", undefined],
  ["an empty since", ""],
])("P11: %s gets a space-sync", async (_, since) => {
  const spaceId = await newSpace(relay.current);
  await say(spaceId, "a");
  expect(names(await firstOf(spaceId, since))).toEqual(["space-sync"]);
});

test("P11: a cursor of another epoch, of a pruned past or of before a TRUNCATE gets a space-sync", async () => {
  const spaceId = await newSpace(relay.current);
  const cursor = await cursorOf(spaceId);
  expect(names(await firstOf(spaceId, `0123456789abcdef.1`))).toEqual(["space-sync"]);
  await say(spaceId, "gone");
  await session.query("delete from public.intentions where location_id = $1", [spaceId]);
  await session.run("select sync.record()", "select sync.prune('0')");
  expect(names(await firstOf(spaceId, cursor))).toEqual(["space-sync"]);
  await say(spaceId, "truncated");
  const [row] = [await cursorOf(spaceId)];
  await session.run("truncate public.intentions");
  expect(names(await firstOf(spaceId, row))).toEqual(["space-sync"]);
});

test("P11: sync.reset() gives every connected client a space-sync of the new epoch, and old cursors too", async () => {
  const [one, two] = [await newSpace(relay.current), await newSpace(relay.current)];
  await say(one, "kept");
  const old = await cursorOf(one);
  const streams = await Promise.all(
    [one, one, two].map((spaceId) => openStream(streamUrl(relay.current.url, spaceId))),
  );
  await Promise.all(streams.map((stream) => stream.until((events) => events.length === 1)));
  await session.run("select sync.reset()");
  const epoch = await session.value("select sync.epoch()");
  expect(old).not.toContain(epoch);
  for (const stream of streams) {
    const events = await stream.until((all) => all.at(-1).cursor.startsWith(`${epoch}.`));
    const syncs = events.filter(({ type }) => type === "space-sync");
    expect(syncs).toHaveLength(2);
    expect(syncs[1].version).toBeGreaterThan(syncs[0].version);
  }
  expect(await firstOf(one, old)).toMatchObject([{ type: "space-sync", intentions: [{ name: "kept" }] }]);
  await say(one, "after");
  for (const stream of streams.slice(0, 2)) {
    expect((await stream.until((all) => all.at(-1).type !== "space-sync")).at(-1)).toMatchObject({
      data: { name: "after" },
    });
  }
  for (const stream of streams) stream.close();
});
