import { expect, test } from "vitest";
import { intention } from "../../../src/protocol/messages.js";
import { useDatabase } from "../../support/postgres/database.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);

const intentions = (body: object) => post(relay.current, "intentions", body);
const space = () => newSpace(relay.current);

test("a message that is created with a space only has every default, and a message ID", async () => {
  const spaceId = await space();
  const { status, body } = await intentions({ action: "create", spaceId });
  expect(status).toBe(200);
  expect(intention.strict().parse(body.data)).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    messageId: expect.stringMatching(/^msg_\d+$/),
    name: "",
    type: "utterance",
    state: "complete",
    ownerId: null,
    locationId: spaceId,
    content: [],
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    modifiedAt: expect.any(String),
  });
  expect(body).toEqual({ success: true, data: body.data, version: 2 });
  for (const where of [{}, { spaceId }]) {
    expect((await intentions({ action: "get", intentionId: body.data.id, ...where })).body).toEqual(body);
  }
});

test("a message is stored with every field that it is given, and every type and state is known", async () => {
  const locationId = await space();
  for (const type of ["utterance", "error"]) {
    for (const state of ["draft", "active", "paused", "complete", "cancelled", "failed"]) {
      const data = { name: "n", type, state, ownerId: "o", locationId, content: ["a", { b: null }] };
      expect((await intentions({ action: "create", data })).body).toMatchObject({ success: true, data });
    }
  }
});

test("a message without a space is refused", async () => {
  for (const request of [{}, { data: { content: ["hi"] } }]) {
    const { status, body } = await intentions({ action: "create", intentionId: "lost", ...request });
    expect([status, body.code]).toEqual([400, "invalid"]);
    expect(body.error).toMatch(/^spaceId: /);
  }
});

test("the ID and the space may be said beside data, in it, or in both places when they agree", async () => {
  const [spaceId, other] = [await space(), await space()];
  for (const [n, request] of [
    { intentionId: "said-0", spaceId },
    { data: { id: "said-1", locationId: spaceId } },
    { intentionId: "said-2", spaceId, data: { id: "said-2", locationId: spaceId } },
  ].entries()) {
    const { body } = await intentions({ action: "create", ...request });
    expect(body).toMatchObject({ data: { id: `said-${n}`, locationId: spaceId }, version: n + 2 });
  }
  for (const request of [
    { intentionId: "a", spaceId, data: { id: "b" } },
    { intentionId: "a", spaceId, data: { locationId: other } },
  ]) {
    const { status, body } = await intentions({ action: "create", ...request });
    expect([status, body.code]).toEqual([400, "invalid"]);
    expect(body.error).toMatch(/is given twice, and differently/);
  }
});

test("an answer that grows is updated field by field, and keeps its message ID and its place in time", async () => {
  const spaceId = await space();
  const { body: created } = await intentions({
    action: "create",
    intentionId: "grows",
    spaceId,
    data: { name: "kept", ownerId: "bot", state: "active", content: ["He"] },
  });
  await intentions({ action: "update", intentionId: "grows", data: { content: ["Hello"] } });
  const { body } = await intentions({
    action: "update",
    intentionId: "grows",
    spaceId,
    data: { state: "complete", ownerId: null },
  });
  expect(body).toEqual({
    success: true,
    data: {
      ...created.data,
      content: ["Hello"],
      state: "complete",
      ownerId: null,
      modifiedAt: body.data.modifiedAt,
    },
    version: 4,
  });
  expect(body.data.modifiedAt > created.data.modifiedAt).toBe(true);
});

test("a message that moves is answered with the version of its new space; an unknown target is 404", async () => {
  const [from, to] = [await space(), await space()];
  await intentions({ action: "create", intentionId: "mover", spaceId: from });
  const move = (locationId: string) =>
    intentions({ action: "update", intentionId: "mover", spaceId: from, data: { locationId } });
  expect((await move("no-where")).status).toBe(404);
  expect((await move(to)).body).toMatchObject({ data: { locationId: to }, version: 2 });
  expect((await intentions({ action: "list", spaceId: from })).body).toMatchObject({ data: [], version: 3 });
  expect((await move(to)).status).toBe(404);
});

test("get, update and delete in a space where the message is not are 404, and change nothing", async () => {
  const [here, there] = [await space(), await space()];
  await intentions({ action: "create", intentionId: "local", spaceId: here });
  for (const action of ["get", "update", "delete"]) {
    const data = action === "update" ? { data: { name: "changed" } } : {};
    const { status, body } = await intentions({ action, intentionId: "local", spaceId: there, ...data });
    expect([status, body.code]).toEqual([404, "not_found"]);
    expect(body.error).toBe(`there is no message local in space ${there}`);
  }
  expect((await intentions({ action: "get", intentionId: "local" })).body).toMatchObject({ version: 2 });
});

test("delete answers with the message as it was and the version after it; a second time it is 404", async () => {
  const spaceId = await space();
  const created = await intentions({ action: "create", intentionId: "gone", spaceId });
  const deleted = await intentions({ action: "delete", intentionId: "gone" });
  expect(deleted.body).toEqual({ success: true, data: created.body.data, version: 3 });
  expect((await intentions({ action: "delete", intentionId: "gone" })).status).toBe(404);
});

test("list pages back through the newest messages, oldest first in each page", async () => {
  const spaceId = await space();
  for (const name of ["1", "2", "3", "4", "5"]) {
    await intentions({ action: "create", spaceId, data: { name } });
  }
  const page = async (more: object): Promise<{ name: string; messageId: string }[]> => {
    const { body } = await intentions({ action: "list", spaceId, ...more });
    expect(body).toMatchObject({ success: true, version: 6 });
    return body.data;
  };
  const names = (messages: { name: string }[]) => messages.map((message) => message.name).join("");
  const newest = await page({ limit: 2 });
  const older = await page({ limit: 2, before: newest[0]?.messageId });
  const oldest = await page({ limit: 2, before: older[0]?.messageId });
  expect([newest, older, oldest].map(names)).toEqual(["45", "23", "1"]);
  expect(await page({ before: oldest[0]?.messageId })).toEqual([]);
  expect(names(await page({}))).toBe("12345");
});

test("list has 100 messages unless limit says otherwise, and at most 1,000", async () => {
  const spaceId = await space();
  const client = await db.connect();
  await client.query(
    "insert into public.intentions (location_id, name) select $1, n::text from generate_series(1, 1100) n",
    [spaceId],
  );
  const count = async (more: object) => {
    const { status, body } = await intentions({ action: "list", spaceId, ...more });
    return status === 200 ? [body.data.length, body.data.at(-1).name] : body.error;
  };
  expect(await count({})).toEqual([100, "1100"]);
  expect(await count({ limit: 1000 })).toEqual([1000, "1100"]);
  expect(await count({ limit: 1001 })).toMatch(/^limit: /);
  expect(await count({ limit: 0 })).toMatch(/^limit: /);
});

test("before a message that is not there, or is in another space, is 404 and named", async () => {
  const [spaceId, other] = [await space(), await space()];
  const { body: created } = await intentions({ action: "create", intentionId: "else", spaceId: other });
  for (const before of [created.data.messageId, "msg_999999999", "else"]) {
    const { status, body } = await intentions({ action: "list", spaceId, before });
    expect([status, body.code]).toEqual([404, "not_found"]);
    expect(body.error).toContain(before);
  }
});
