import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
const relay = useRelay(db);

const HOSTILE = [
  "'; drop table public.beings; --",
  "$1 $2 %s %I {} #{x} <%= x %> \\",
  "a\n\nid: forged.9\ndata: {}\n\n",
  "\r\rdata: forged\r\n\r\nevent: heartbeat\r\n",
  "\u2028\u2029\u0085\u000b\u000c",
  "retry: 0",
  ":comment",
  "\ufeff",
  "\u0001\u001b[31m\u007f",
  "<script>alert(1)</script>",
  '"}],"x":[{"',
  "😀 ‮ الع नम 👩‍👩‍👧",
];

test.each(HOSTILE)("a text arrives as it was sent, and ends no frame: %j", async (text) => {
  const spaceId = await newSpace(relay.current);
  const stream = await openStream(streamUrl(relay.current.url, spaceId));
  await stream.until((events) => events.length === 1);
  const content = [text, { [text || "k"]: [text] }];
  const being = { action: "create", spaceId, data: { name: text, metadata: { [text]: text }, content } };
  const intention = { action: "create", spaceId, data: { name: text, content } };
  expect((await post(relay.current, "beings", being)).body.data).toMatchObject(being.data);
  expect((await post(relay.current, "intentions", intention)).body.data).toMatchObject(intention.data);
  const [, ...events] = await stream.until((all) => all.length >= 3);
  expect(events).toMatchObject([
    { type: "being-created", version: 2, data: being.data },
    { type: "intention-created", version: 3, data: intention.data },
  ]);
  const late = await openStream(streamUrl(relay.current.url, spaceId));
  const [sync] = await late.until((all) => all.length === 1);
  expect([sync.beings.at(-1), ...sync.intentions]).toMatchObject([being.data, intention.data]);
  expect(stream.messages.every(({ event }) => event === undefined || event === "heartbeat")).toBe(true);
  stream.close();
  late.close();
});

test("an ID with every printable character of SQL, HTTP and JSON names a space of its own", async () => {
  const spaceId = `a'b"c\\d&e=f#g?h/i%j+k l;m--n{"o":1}|é😀`;
  const data = { type: "space", ownerId: spaceId };
  const made = await post(relay.current, "beings", { action: "create", beingId: spaceId, data });
  expect(made.body).toMatchObject({ data: { id: spaceId, locationId: spaceId }, version: 1 });
  const stream = await openStream(streamUrl(relay.current.url, spaceId));
  const [sync] = await stream.until((events) => events.length === 1);
  expect(sync).toMatchObject({ spaceId, beings: [{ id: spaceId }] });
  await post(relay.current, "intentions", { action: "create", intentionId: spaceId, spaceId });
  const [, event] = await stream.until((events) => events.length === 2);
  expect(event).toMatchObject({ type: "intention-created", data: { id: spaceId } });
  stream.close();
});

test("__proto__ and its like are keys as any other, and change no object of the relay", async () => {
  const spaceId = await newSpace(relay.current);
  const json = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"toString":1}';
  for (const [path, data] of [
    ["intentions", `{"content":[${json}]}`],
    ["beings", `{"metadata":${json},"properties":{"a":[${json}]},"content":${json}}`],
  ] as const) {
    const { body } = await post(
      relay.current,
      path,
      `{"action":"create","spaceId":"${spaceId}","data":${data}}`,
    );
    const fields = JSON.parse(data) as Record<string, unknown>;
    for (const [field, value] of Object.entries(fields)) {
      expect(JSON.parse(JSON.stringify(body.data[field]))).toEqual(value);
      expect(JSON.stringify(body.data[field])).toContain('"__proto__":{"polluted":true}');
    }
  }
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});
