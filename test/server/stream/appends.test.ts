import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { appendEvent } from "../../../src/protocol/messages.js";
import { Appends } from "../../../src/server/feed/appends.js";
import { useDatabase } from "../../support/postgres/database.js";
import { useSession } from "../../support/postgres/session.js";
import { useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db);
const s = useSession(db);

async function follow(spaceId: string, appends: boolean, since?: string) {
  const url = streamUrl(relay.current.url, spaceId, since);
  if (appends) url.searchParams.set("appends", "1");
  const stream = await openStream(url);
  onTestFinished(() => stream.close());
  if (since === undefined) await stream.until((events) => events.length === 1);
  return stream;
}
const write = (id: string, text: string, more = "") =>
  s.query(`update public.intentions set content = jsonb_build_array($2::text) ${more} where id = $1`, [
    id,
    text,
  ]);

test("an answer that grows by plain SQL comes as what it grew by, to those who asked for it", async () => {
  const spaceId = await newSpace(relay.current);
  await s.query(
    "insert into public.intentions (id, location_id, state, content) values ('ai', $1, 'active', '[\"\"]')",
    [spaceId],
  );
  const [short, long] = [await follow(spaceId, true), await follow(spaceId, false)];
  await write("ai", "Hello"); // the first is whole: what was sent before is not known
  await short.until((all) => all.length === 2);
  await write("ai", "Hello, 🌍");
  await short.until((all) => all.length === 3);
  await write("ai", "Hello, 🌍!", ", state = 'complete'");
  const events = await short.until((all) => all.length === 4);
  expect(events[1]).toMatchObject({ type: "intention-updated", data: { content: ["Hello"] } });
  for (const event of events.slice(2)) appendEvent.parse(event);
  expect(events.slice(2)).toEqual([
    {
      type: "intention-appended",
      messageId: expect.stringMatching(/^msg_/),
      id: "ai",
      version: 4,
      path: ["content", 0],
      at: 5,
      text: ", 🌍",
      data: { modifiedAt: expect.any(String) },
      prev: 3,
      cursor: expect.stringMatching(/\.4$/),
    },
    expect.objectContaining({
      at: 9,
      text: "!",
      data: { state: "complete", modifiedAt: expect.any(String) },
    }),
  ]);
  expect((await long.until((all) => all.length === 4)).map(({ type }) => type)).toEqual([
    "space-sync",
    ...Array(3).fill("intention-updated"),
  ]);
});

test("who comes back gets the row whole, and then what it grows by", async () => {
  const spaceId = await newSpace(relay.current);
  await s.query("insert into public.intentions (id, location_id, content) values ('back', $1, '[\"a\"]')", [
    spaceId,
  ]);
  const first = await follow(spaceId, true);
  await write("back", "ab");
  const [, { cursor }] = await first.until((events) => events.length === 2);
  first.close();
  const other = await follow(spaceId, true); // so that the relay goes on
  await write("back", "abc");
  await other.until((events) => events.length === 2);
  const again = await follow(spaceId, true, cursor);
  await again.until((events) => events.length === 1);
  await write("back", "abcd");
  expect(
    (await again.until((events) => events.length === 2)).map(({ type, text, data }) => [
      type,
      text ?? data.content,
    ]),
  ).toEqual([
    ["intention-updated", ["abc"]],
    ["intention-appended", "d"],
  ]);
});

test("what is more than an append is sent whole", async () => {
  const appends = new Appends();
  const row = { id: "1", title: "t", parts: [{ text: "a" }, { text: "b" }], n: 1 };
  let version = 0;
  const send = (data: object, type = "task-updated") => {
    const event = JSON.stringify({ type, version: ++version, id: "1", data });
    return appends.shorten([event], version - 1, version);
  };
  expect(send(row, "task-created")).toBeNull();
  expect(JSON.parse(send({ ...row, parts: [{ text: "a" }, { text: "bc" }] })?.[0] as string)).toMatchObject({
    type: "task-appended",
    path: ["parts", 1, "text"],
    at: 1,
    text: "c",
    data: {},
  });
  expect(send({ ...row, parts: [{ text: "x" }, { text: "bc" }] })).toBeNull(); // no prefix
  expect(send({ ...row, parts: [{ text: "xy" }, { text: "bcd" }] })).toBeNull(); // two
  expect(send({ ...row, parts: [{ text: "xy" }, { text: "bcd" }, { text: "new" }] })).toBeNull();
  expect(
    send({ ...row, n: 2, title: "tt", parts: [{ text: "xy" }, { text: "bcd" }, { text: "new" }] }),
  ).toBeNull(); // a number
  expect(
    send({ ...row, n: 2, title: "ttt", parts: [{ text: "xy" }, { text: "bcd" }, { text: "new" }] }),
  ).not.toBeNull();
  version += 1; // a group that it was not told of
  expect(send({ ...row, n: 2, title: "tttt", parts: [] })).toBeNull();
});

test("whatever the updates are, a reader who applies them ends with the row", () => {
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
  const value = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(tie("node"), { maxLength: 3 }),
      fc.dictionary(fc.string(), tie("node"), { maxKeys: 3 }),
    ),
  })).node;
  const rows = fc.array(fc.record({ text: fc.array(fc.string(), { maxLength: 4 }), more: value }), {
    minLength: 2,
    maxLength: 6,
  });
  fc.assert(
    fc.property(rows, (list) => {
      const appends = new Appends();
      // biome-ignore lint/suspicious/noExplicitAny: any JSON
      let mine: any;
      let grown: string[] = [];
      list.forEach(({ text, more }, n) => {
        grown = n % 2 ? [...grown.slice(0, -1), (grown.at(-1) ?? "") + text.join("")] : text;
        const row = JSON.parse(JSON.stringify({ id: "x", parts: grown, more }));
        const event = JSON.stringify({ type: `t-${n ? "updated" : "created"}`, version: n + 1, data: row });
        const sent = JSON.parse((appends.shorten([event], n, n + 1) ?? [event])[0] as string);
        if (sent.type === "t-appended") {
          const copy = structuredClone({ ...mine, ...sent.data });
          const last = sent.path.at(-1);
          // biome-ignore lint/suspicious/noExplicitAny: any JSON
          const holder = sent.path.slice(0, -1).reduce((at: any, key: string | number) => at[key], copy);
          expect(holder[last].length).toBe(sent.at);
          holder[last] += sent.text;
          mine = copy;
        } else mine = sent.data;
        expect(mine).toEqual(row);
      });
    }),
  );
});
