import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);

const NOUNS = [
  { path: "beings", id: "beingId", data: { name: "n", metadata: { a: 1 }, content: [{ b: [2] }] } },
  { path: "intentions", id: "intentionId", data: { name: "n", state: "active", content: [{ b: [2] }] } },
] as const;

test.each(NOUNS)(
  "a create of $path that is sent again answers with the stored row, and makes no version",
  async ({ path, id, data }) => {
    const spaceId = await newSpace(relay.current);
    const request = { action: "create", [id]: `again-${path}`, spaceId, data };
    const first = await post(relay.current, path, request);
    const again = await post(relay.current, path, request);
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.body).toEqual(first.body);
    expect(again.body.version).toBe(2);
  },
);

test.each(NOUNS)(
  "retries of a create of $path that arrive at the same time all have the same row",
  async ({ path, id, data }) => {
    const spaceId = await newSpace(relay.current);
    const request = { action: "create", [id]: `together-${path}`, spaceId, data };
    const answers = await Promise.all(Array.from({ length: 12 }, () => post(relay.current, path, request)));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(answers[0]?.body.version).toBe(2);
  },
);

test.each(NOUNS)(
  "a create of $path with a taken ID and other content is a conflict that names the ID",
  async ({ path, id, data }) => {
    const [spaceId, other] = [await newSpace(relay.current), await newSpace(relay.current)];
    const taken = { action: "create", [id]: `taken-${path}`, spaceId, data };
    const { body: stored } = await post(relay.current, path, taken);
    for (const request of [
      { ...taken, data: { ...data, name: "other" } },
      { ...taken, data: { ...data, content: [] } },
      { ...taken, data: { ...data, ownerId: "o" } },
      { ...taken, spaceId: other },
    ]) {
      const { status, body } = await post(relay.current, path, request);
      expect([status, body.code]).toEqual([409, "conflict"]);
      expect(body.error).toContain(`taken-${path}`);
    }
    expect((await post(relay.current, path, { action: "get", [id]: `taken-${path}` })).body).toEqual(stored);
  },
);

test("a retry compares what it says: a row in which somebody has filled other fields since is still its row", async () => {
  const spaceId = await newSpace(relay.current);
  const request = { action: "create", beingId: "filled", spaceId, data: { name: "n" } };
  await post(relay.current, "beings", request);
  const update = { action: "update", beingId: "filled", data: { metadata: { seen: true } } };
  const { body: updated } = await post(relay.current, "beings", update);
  const again = await post(relay.current, "beings", request);
  expect([again.status, again.body]).toEqual([200, updated]);
});

test("content that differs only in the order of its keys or the spelling of its numbers is the same", async () => {
  const spaceId = await newSpace(relay.current);
  const text = (content: string) =>
    `{"action":"create","intentionId":"spelled","spaceId":"${spaceId}","data":{"content":${content}}}`;
  await post(relay.current, "intentions", text('[{"a":1,"b":100}]'));
  const again = await post(relay.current, "intentions", text('[{"b":1e2,"a":1.0}]'));
  expect(again.status).toBe(200);
});

test("a create of a space with a null location is a safe retry too, though it is stored in itself", async () => {
  const request = { action: "create", beingId: "null-home", data: { type: "space", locationId: null } };
  const first = await post(relay.current, "beings", request);
  const again = await post(relay.current, "beings", request);
  expect([first.status, again.status]).toEqual([200, 200]);
  expect(again.body).toEqual(first.body);
});
