import { expect, test } from "vitest";
import { being } from "../../../src/protocol/messages.js";
import { useDatabase } from "../../support/postgres/database.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);

const beings = (body: object) => post(relay.current, "beings", body);
const space = () => newSpace(relay.current);

test("a being that is created with nothing has every default, and is in no space: its version is null", async () => {
  const { status, body } = await beings({ action: "create" });
  expect(status).toBe(200);
  expect(being.strict().parse(body.data)).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    name: "",
    type: "guest",
    ownerId: null,
    locationId: null,
    metadata: {},
    properties: {},
    content: [],
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    modifiedAt: expect.any(String),
  });
  expect(body).toEqual({ success: true, data: body.data, version: null });
  expect((await beings({ action: "get", beingId: body.data.id })).body).toEqual(body);
});

test("a being is stored with every field that it is given", async () => {
  const locationId = await space();
  const data = {
    name: "Ada",
    type: "document",
    ownerId: "somebody",
    locationId,
    metadata: { a: [1, null, "x"] },
    properties: { deep: { er: true } },
    content: { any: "JSON" },
  };
  const { body } = await beings({ action: "create", data });
  expect(body).toMatchObject({ success: true, data, version: 2 });
});

test("a space that is created without a location is in itself, with null as well as with its own ID", async () => {
  for (const more of [{}, { locationId: null }, { locationId: "self" }]) {
    const { body } = await beings({ action: "create", beingId: "self", data: { type: "space", ...more } });
    expect(body).toMatchObject({ data: { id: "self", locationId: "self" }, version: expect.any(Number) });
    await beings({ action: "delete", beingId: "self" });
  }
});

test("a space with a location is in that one, and nothing is in it yet", async () => {
  const house = await space();
  const room = await beings({ action: "create", beingId: "room", spaceId: house, data: { type: "space" } });
  expect(room.body).toMatchObject({ data: { locationId: house }, version: 2 });
  expect((await beings({ action: "list", spaceId: "room" })).body).toEqual({
    success: true,
    data: [],
    version: 0,
  });
});

test("the ID and the space may be said beside data, in it, or in both places when they agree", async () => {
  const spaceId = await space();
  for (const [n, request] of [
    { beingId: "said-0", spaceId },
    { data: { id: "said-1", locationId: spaceId } },
    { beingId: "said-2", spaceId, data: { id: "said-2", locationId: spaceId } },
  ].entries()) {
    const { body } = await beings({ action: "create", ...request });
    expect(body).toMatchObject({ data: { id: `said-${n}`, locationId: spaceId }, version: n + 2 });
  }
});

test.each([
  [{ beingId: "one", data: { id: "other" } }, /ID.*"one" and "other"/],
  [{ beingId: "one", spaceId: "here", data: { locationId: "there" } }, /space.*"here" and "there"/],
  [{ beingId: "one", spaceId: "here", data: { locationId: null } }, /space.*"here" and "null"/],
])("what two places say differently is refused: %j", async (request, message) => {
  const { status, body } = await beings({ action: "create", ...request });
  expect([status, body.code, body.success]).toEqual([400, "invalid", false]);
  expect(body.error).toMatch(message);
  expect((await beings({ action: "get", beingId: "one" })).status).toBe(404);
});

test("an update changes the fields that it names, moves modifiedAt, and a null owner is no owner", async () => {
  const spaceId = await space();
  const data = { name: "before", ownerId: "o", metadata: { kept: 1 } };
  const created = await beings({ action: "create", beingId: "upd", spaceId, data });
  const updated = await beings({
    action: "update",
    beingId: "upd",
    spaceId,
    data: { name: "after", ownerId: null },
  });
  expect(updated.body).toMatchObject({
    data: { name: "after", ownerId: null, metadata: { kept: 1 }, createdAt: created.body.data.createdAt },
    version: 3,
  });
  expect(updated.body.data.modifiedAt > created.body.data.modifiedAt).toBe(true);
  expect((await beings({ action: "get", beingId: "upd" })).body).toEqual(updated.body);
});

test("an update that changes nothing makes no version", async () => {
  const spaceId = await space();
  const { body } = await beings({ action: "update", beingId: spaceId, data: { name: "", type: "space" } });
  expect(body.version).toBe(1);
});

test("a being that moves is answered with the version of the space that it is in now", async () => {
  const [from, to] = [await space(), await space()];
  await beings({ action: "create", beingId: "mover", spaceId: from });
  const moved = await beings({
    action: "update",
    beingId: "mover",
    spaceId: from,
    data: { locationId: to, name: "m" },
  });
  expect(moved.body).toMatchObject({ data: { locationId: to, name: "m" }, version: 2 });
  expect((await beings({ action: "list", spaceId: from })).body).toMatchObject({
    data: [{ id: from }],
    version: 3,
  });
  const left = await beings({ action: "update", beingId: "mover", data: { locationId: null } });
  expect(left.body).toMatchObject({ data: { locationId: null }, version: null });
  expect((await beings({ action: "list", spaceId: to })).body.version).toBe(3);
});

test("a space that does not exist is 404 for list, create and a move, and the answer says how to make it", async () => {
  await beings({ action: "create", beingId: "stays" });
  for (const request of [
    { action: "list", spaceId: "no-where" },
    { action: "create", spaceId: "no-where", beingId: "never" },
    { action: "create", data: { locationId: "no-where", id: "never", type: "space" } },
    { action: "update", beingId: "stays", data: { locationId: "no-where" } },
  ]) {
    const { status, body } = await beings(request);
    expect([status, body.code], JSON.stringify(request)).toEqual([404, "not_found"]);
    expect(body.error).toMatch(/no space no-where.*"beingId":"no-where"/);
  }
  expect((await beings({ action: "get", beingId: "never" })).status).toBe(404);
  expect((await beings({ action: "get", beingId: "stays" })).body.data.locationId).toBeNull();
});

test("get, update and delete in a space where the being is not are 404, and change nothing", async () => {
  const [here, there] = [await space(), await space()];
  await beings({ action: "create", beingId: "local", spaceId: here });
  for (const action of ["get", "update", "delete"]) {
    const data = action === "update" ? { data: { name: "changed" } } : {};
    for (const [beingId, spaceId] of [
      ["local", there],
      ["nobody", here],
    ]) {
      const { status, body } = await beings({ action, beingId, spaceId, ...data });
      expect([status, body.code]).toEqual([404, "not_found"]);
      expect(body.error).toBe(`there is no being ${beingId} in space ${spaceId}`);
    }
    expect((await beings({ action, beingId: "nobody", ...data })).body.error).toBe(
      "there is no being nobody",
    );
  }
  const { body } = await beings({ action: "get", beingId: "local", spaceId: here });
  expect(body).toMatchObject({ data: { name: "" }, version: 2 });
});

test("delete answers with the being as it was and the version after it; a second time it is 404", async () => {
  const spaceId = await space();
  const created = await beings({ action: "create", beingId: "gone", spaceId, data: { name: "G" } });
  const deleted = await beings({ action: "delete", beingId: "gone", spaceId });
  expect(deleted.body).toEqual({ success: true, data: created.body.data, version: 3 });
  expect((await beings({ action: "delete", beingId: "gone", spaceId })).status).toBe(404);
});

test("list has the beings of one space, oldest first, at most limit of them", async () => {
  const spaceId = await space();
  for (const name of ["a", "b", "c"]) await beings({ action: "create", spaceId, data: { name } });
  await beings({ action: "create", data: { name: "elsewhere" } });
  const names = async (more: object) => {
    const { body } = await beings({ action: "list", spaceId, ...more });
    expect(body.version).toBe(4);
    return body.data.map((each: { name: string }) => each.name);
  };
  expect(await names({})).toEqual(["", "a", "b", "c"]);
  expect(await names({ limit: 2 })).toEqual(["", "a"]);
});
