import { expect, test } from "vitest";
import { useDatabase } from "../../support/postgres/database.js";
import { useRefusals } from "../../support/relay/refusal.js";
import { post, useRelay } from "../../support/relay/relay.js";
import { newSpace } from "../../support/relay/space.js";

const db = useDatabase();
const relay = useRelay(db);
const refused = useRefusals(db, relay);

const BEINGS = "/api/beings";
const INTENTIONS = "/api/intentions";
const LIMIT = 256 * 1024;
const TOO_LARGE = { status: 413, code: "too_large", error: `the body has more than ${LIMIT} bytes` };
const invalid = (error: RegExp | string) => ({ status: 400, code: "invalid", error });

/** A body of this many bytes. */
function bodyOf(bytes: number, spaceId: string): string {
  const body = (filler: string) => JSON.stringify({ action: "create", spaceId, data: { content: [filler] } });
  return body("x".repeat(bytes - body("").length));
}

test("a body of 256 KiB is taken, with one byte more it is 413, however it is sent", async () => {
  const spaceId = await newSpace(relay.current);
  expect((await post(relay.current, "intentions", bodyOf(LIMIT, spaceId))).status).toBe(200);
  const once = { headers: { Connection: "close" } };
  await refused(INTENTIONS, bodyOf(LIMIT + 1, spaceId), TOO_LARGE, once);
  const chunked = new Blob([bodyOf(LIMIT + 1, spaceId)]).stream();
  const init = { method: "POST", body: chunked, duplex: "half", ...once } as RequestInit;
  await refused(INTENTIONS, undefined, TOO_LARGE, init);
});

test("a connection on which a body was too large is good for the next request", async () => {
  const spaceId = await newSpace(relay.current);
  for (let n = 0; n < 20; n++) await refused(INTENTIONS, bodyOf(2 * LIMIT, spaceId), TOO_LARGE);
});

test.each([
  ["an empty body", ""],
  ["half a body", '{"action":"create"'],
  ["a text", "hello"],
  ["invalid UTF-8", new Uint8Array([0x22, 0xff, 0xfe, 0x22])],
  ["UTF-8 of a surrogate", new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22])],
  ["NaN", '{"action":"list","spaceId":"s","limit":NaN}'],
])("%s is not JSON in UTF-8", async (_, body) => {
  for (const path of [BEINGS, INTENTIONS]) {
    await refused(path, body, invalid(/^the body is not JSON in UTF-8: /));
  }
});

test.each([["null"], ["[]"], ["1"], ['"create"']])("JSON that is no object is refused: %s", async (body) => {
  for (const path of [BEINGS, INTENTIONS]) await refused(path, body, invalid(/object/));
});

test("an unknown action, or none, is refused and its path is named", async () => {
  for (const action of ["drop", "CREATE", "", null, "__proto__", "constructor", undefined]) {
    for (const path of [BEINGS, INTENTIONS]) {
      await refused(path, { action, beingId: "b", intentionId: "i", spaceId: "s" }, invalid(/^action: /));
    }
  }
});

test.each([
  [BEINGS, { action: "create", extra: 1 }, /"extra"/],
  [BEINGS, { action: "create", data: { colour: "red" } }, /^data: .*"colour"/],
  [BEINGS, { action: "update", beingId: "b", data: { id: "c" } }, /^data: .*"id"/],
  [BEINGS, { action: "create", data: { createdAt: "2026-01-01T00:00:00Z" } }, /^data: .*"createdAt"/],
  [BEINGS, { action: "get", beingId: "b", data: {} }, /"data"/],
  [BEINGS, { action: "list", spaceId: "s", before: "msg_1" }, /"before"/],
  [INTENTIONS, { action: "create", spaceId: "s", data: { messageId: "msg_1" } }, /^data: .*"messageId"/],
  [INTENTIONS, { action: "create", spaceId: "s", data: { metadata: {} } }, /^data: .*"metadata"/],
  [INTENTIONS, { action: "get", beingId: "b" }, /intentionId: /],
  [BEINGS, '{"action":"get","beingId":"b","__proto__":{"spaceId":"s"}}', /"__proto__"/],
  [BEINGS, '{"action":"create","data":{"__proto__":{"id":"sneaked-in"}}}', /^data: .*"__proto__"/],
])("an unknown field is refused and its path is named: %s %j", async (path, body, error) => {
  await refused(path, body, invalid(error));
});

test.each([
  [BEINGS, { action: "get" }, /^beingId: /],
  [BEINGS, { action: "list" }, /^spaceId: /],
  [BEINGS, { action: "delete", beingId: 7 }, /^beingId: /],
  [BEINGS, { action: "get", beingId: { $ne: null } }, /^beingId: /],
  [BEINGS, { action: "list", spaceId: "s", limit: "10" }, /^limit: /],
  [BEINGS, { action: "list", spaceId: "s", limit: 1.5 }, /^limit: /],
  [BEINGS, '{"action":"list","spaceId":"s","limit":1e999}', /^limit: /],
  [BEINGS, { action: "create", data: { name: null } }, /^data\.name: /],
  [BEINGS, { action: "create", data: { name: 5 } }, /^data\.name: /],
  [BEINGS, { action: "create", data: { type: "alien" } }, /^data\.type: .*document/],
  [BEINGS, { action: "create", data: { ownerId: 5 } }, /^data\.ownerId: /],
  [BEINGS, { action: "create", data: { metadata: [] } }, /^data\.metadata: must be an object/],
  [BEINGS, { action: "create", data: { metadata: "{}" } }, /^data\.metadata: must be an object/],
  [BEINGS, { action: "create", data: { properties: null } }, /^data\.properties: must be an object/],
  [BEINGS, { action: "create", data: [] }, /^data: /],
  [BEINGS, { action: "create", spaceId: null }, /^spaceId: /],
  [BEINGS, { action: "update", beingId: "b" }, /^data: /],
  [BEINGS, { action: "update", beingId: "b", data: {} }, /^data: names nothing to change/],
  [INTENTIONS, { action: "create", spaceId: "s", data: { content: "hi" } }, /^data\.content: /],
  [INTENTIONS, { action: "create", spaceId: "s", data: { content: {} } }, /^data\.content: /],
  [INTENTIONS, { action: "create", spaceId: "s", data: { state: "done" } }, /^data\.state: .*complete/],
  [INTENTIONS, { action: "update", intentionId: "i", data: { locationId: null } }, /^data\.locationId: /],
  [INTENTIONS, { action: "list", spaceId: "s", before: 5 }, /^before: /],
])("a wrong or missing value is refused and its path is named: %s %j", async (path, body, error) => {
  await refused(path, body, invalid(error));
});

test("every fault of a request is named, not only the first", async () => {
  const body = { action: "create", beingId: "", data: { name: 1, type: "x" } };
  await refused(BEINGS, body, invalid(/beingId: must not be empty; data\.name: .*; data\.type: /));
});
