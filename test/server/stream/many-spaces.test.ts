import { beforeEach, expect, onTestFinished, test } from "vitest";
import { LIMITS, manySpacesEvent } from "../../../src/protocol/messages.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { useRelay } from "../../support/relay/relay.js";
import { streamsBecome } from "../../support/relay/relay-metrics.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream } from "../../support/relay/stream.js";
import { as, decideBy, SECRET, tokensBy } from "../../support/relay/token.js";

const db = useDatabase();
const relay = useRelay(db, { heartbeatMs: 100 });
const guarded = useRelay(db, {
  heartbeatMs: 100,
  recheckMs: 300,
  tokens: tokensBy({ AUTH_JWT_SECRET: SECRET }),
});
const limited = useRelay(db, {
  limits: { writesPerAddress: 0, writesPerSpace: 0, streamsPerAddress: 0, streamsPerSpace: 1 },
});
const s = useSession(db);

beforeEach(() => decideBy(s, "select true"));

const say = (spaceId: string, name: string) =>
  s.query("insert into public.intentions (location_id, name) values ($1, $2)", [spaceId, name]);

async function open(spaces: Record<string, string | null>, headers: Record<string, string> = {}, at = relay) {
  const stream = await openStream(`${at.current.url}/api/stream`, headers, JSON.stringify({ spaces }));
  onTestFinished(() => stream.close());
  return stream;
}
const change = async (streamId: string, body: object, headers: Record<string, string> = {}, at = relay) => {
  const response = await fetch(`${at.current.url}/api/stream/${streamId}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const short = (events: Record<string, unknown>[]) =>
  events.map(({ type, spaceId, data }) =>
    [type, spaceId, (data as { name?: string } | undefined)?.name].filter(Boolean).join(" "),
  );

test("one stream has the events of many spaces, each with its space, and each space has its own cursor", async () => {
  const [a, b] = [await newSpace(relay.current), await newSpace(relay.current)];
  await say(b, "before");
  const stream = await open({ [a]: null, [b]: null });
  const first = await stream.until((events) => events.length === 3);
  expect(manySpacesEvent.parse(first[0])).toEqual({
    type: "stream",
    streamId: expect.stringMatching(/^[\w-]{24}$/),
  });
  expect(short(first.slice(1)).sort()).toEqual([`space-sync ${a}`, `space-sync ${b}`].sort());
  await say(a, "1");
  await say(b, "2");
  const all = await stream.until((events) => events.length === 5);
  expect(short(all.slice(3)).sort()).toEqual([`intention-created ${a} 1`, `intention-created ${b} 2`].sort());
  expect(all.find(({ data }) => data?.name === "2")).toMatchObject({
    spaceId: b,
    version: 3,
    prev: 2,
    cursor: /\.3$/,
  });
  expect(stream.messages.filter(({ id }) => id !== undefined)).toEqual([]);
});

test("who comes back brings all cursors, and gets what each space lacks", async () => {
  const [a, b] = [await newSpace(relay.current), await newSpace(relay.current)];
  const stream = await open({ [a]: null, [b]: null });
  const events = await stream.until((all) => all.length === 3);
  stream.close();
  const cursorOf = (id: string) => events.find(({ spaceId }) => spaceId === id).cursor as string;
  await say(a, "missed");
  const again = await open({ [a]: cursorOf(a), [b]: cursorOf(b) });
  expect(short((await again.until((all) => all.length === 2)).slice(1))).toEqual([
    `intention-created ${a} missed`,
  ]);
});

test("spaces are added to a running stream and dropped from it", async () => {
  const [a, b] = [await newSpace(relay.current), await newSpace(relay.current)];
  const stream = await open({ [a]: null });
  const [{ streamId }] = await stream.until((events) => events.length === 2);
  expect(await change(streamId, { add: { [b]: null }, drop: [a] })).toEqual({
    status: 200,
    body: { success: true, spaces: 1 },
  });
  await stream.until((events) => events.length === 3);
  await say(a, "unheard");
  await say(b, "heard");
  expect(short((await stream.until((events) => events.length === 4)).slice(2))).toEqual([
    `space-sync ${b}`,
    `intention-created ${b} heard`,
  ]);
});

test("what is refused of one space does not end the others", async () => {
  const a = await newSpace(relay.current);
  const stream = await open({ [a]: null, nowhere: null, [`${a}x`]: "nonsense" });
  const events = await stream.until((all) => all.length === 4);
  const refusals = events.filter(({ type }) => type === "space-refused");
  for (const refusal of refusals) manySpacesEvent.parse(refusal);
  expect(refusals.map(({ spaceId, code }) => [spaceId, code])).toEqual(
    expect.arrayContaining([["nowhere", "not_found"]]),
  );
  await say(a, "still");
  expect(short(await stream.until((all) => all.length === 5)).at(-1)).toBe(`intention-created ${a} still`);
});

test("a reader who may read a space no longer loses that one only", async () => {
  const [a, b] = [await newSpace(relay.current), await newSpace(relay.current)];
  const stream = await open({ [a]: null, [b]: null }, await as("ann"), guarded);
  await stream.until((events) => events.length === 3);
  await decideBy(s, `select authorize.space_id <> '${a}'`);
  const events = await stream.until((all) => all.length === 4);
  expect(events[3]).toEqual({
    type: "space-refused",
    spaceId: a,
    code: "forbidden",
    error: "not allowed: read",
  });
  await say(a, "unheard");
  await say(b, "heard");
  expect(short(await stream.until((all) => all.length === 5)).at(-1)).toBe(`intention-created ${b} heard`);
});

test("a stream takes a space of its own anew, though the space has as many streams as it may", async () => {
  const a = await newSpace(limited.current);
  const stream = await open({ [a]: null }, {}, limited);
  const [{ streamId }] = await stream.until((events) => events.length === 2);
  const shut = await open({ [a]: null }, {}, limited);
  expect(short(await shut.until((events) => events.length === 2)).at(-1)).toBe(`space-refused ${a}`);
  for (const length of [3, 4]) {
    expect((await change(streamId, { add: { [a]: null } }, {}, limited)).status).toBe(200);
    expect(short(await stream.until((events) => events.length === length)).at(-1)).toBe(`space-sync ${a}`);
  }
  expect((await change(streamId, { drop: [a] }, {}, limited)).status).toBe(200);
  const late = await open({ [a]: null }, {}, limited);
  expect(short(await late.until((events) => events.length === 2)).at(-1)).toBe(`space-sync ${a}`);
});

test("a stream is changed by its own caller only, and an unknown one is 404", async () => {
  const a = await newSpace(relay.current);
  const ann = await as("ann"); // a token of another second says something else
  const stream = await open({ [a]: null }, ann, guarded);
  const [{ streamId }] = await stream.until((events) => events.length === 2);
  expect((await change(streamId, { drop: [a] }, await as("eve"), guarded)).status).toBe(404);
  expect((await change(streamId, { drop: [a] }, ann, guarded)).status).toBe(200);
  expect((await change("nobody", { drop: [a] })).status).toBe(404);
});

test("its heartbeat comes once for all spaces", async () => {
  const spaces: Record<string, null> = {};
  for (let n = 0; n < 10; n++) spaces[await newSpace(relay.current)] = null;
  const stream = await open(spaces);
  await stream.until((events) => events.length === 11);
  const before = stream.messages.filter(({ event }) => event === "heartbeat").length;
  await expect
    .poll(() => stream.messages.filter(({ event }) => event === "heartbeat").length)
    .toBeGreaterThan(before + 2);
  const beats = stream.messages.filter(({ event }) => event === "heartbeat").length - before;
  expect(beats).toBeLessThan(10);
});

test("GET with several spaceIds is the same, for curl; too many spaces are refused", async () => {
  const [a, b] = [await newSpace(relay.current), await newSpace(relay.current)];
  const stream = await openStream(`${relay.current.url}/api/stream?spaceId=${a}&spaceId=${b}`);
  onTestFinished(() => stream.close());
  expect(
    short(await stream.until((events) => events.length === 3))
      .slice(1)
      .sort(),
  ).toEqual([`space-sync ${a}`, `space-sync ${b}`].sort());
  const many = Object.fromEntries(
    Array.from({ length: LIMITS.spacesPerStream + 1 }, (_, n) => [`s${n}`, null]),
  );
  expect((await open(many)).response.status).toBe(400);
});

test("a thousand spaces are one client, and none is left behind when it goes", async () => {
  const ids = Array.from({ length: LIMITS.spacesPerStream }, (_, n) => `many-${n}`);
  await s.query("insert into public.beings (id, type) select id, 'space' from unnest($1::text[]) as id", [
    ids,
  ]);
  const stream = await open(Object.fromEntries(ids.map((id) => [id, null])));
  await stream.until((events) => events.length === ids.length + 1, 30_000);
  await s.query(
    "insert into public.intentions (location_id, name) select id, 'all' from unnest($1::text[]) as id",
    [ids],
  );
  const events = await stream.until((all) => all.length === 2 * ids.length + 1, 30_000);
  expect(new Set(events.slice(1).map(({ spaceId }) => spaceId)).size).toBe(ids.length);
  // It has as many as it may: one more is refused, one of its own is taken anew.
  const { streamId } = events[0];
  const more = { add: { [await newSpace(relay.current)]: null } };
  expect((await change(streamId, more)).status).toBe(400);
  expect(await change(streamId, { add: { "many-7": null } })).toEqual({
    status: 200,
    body: { success: true, spaces: ids.length },
  });
  const again = await stream.until((all) => all.length === 2 * ids.length + 2);
  expect(short(again).at(-1)).toBe("space-sync many-7");
  stream.close();
  await streamsBecome(relay.current, 0);
});
