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
const invalid = (error: RegExp | string) => ({ status: 400, code: "invalid", error });

/** Arrays in arrays: `nested(2)` is [[]]. */
const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;

test.each([["x"], ["é"], ["😀"], ["'"], ['"'], ["\\"], [" "], ["%"]])(
  "an ID has up to 255 characters, however many bytes each has: %s",
  async (character) => {
    const ok = character.repeat(255);
    const created = await post(relay.current, "beings", {
      action: "create",
      beingId: ok,
      data: { type: "space", ownerId: ok },
    });
    expect(created.body).toMatchObject({ data: { id: ok, locationId: ok, ownerId: ok }, version: 1 });
    const message = { action: "create", intentionId: ok, spaceId: ok };
    expect((await post(relay.current, "intentions", message)).body).toMatchObject({ version: 2 });
    const deleted = await post(relay.current, "beings", { action: "delete", beingId: ok });
    expect(deleted.status).toBe(200);
  },
);

test.each([["x"], ["😀"]])("an ID of 256 characters is refused in every place: %s", async (character) => {
  const long = character.repeat(256);
  const error = (path: string) => invalid(new RegExp(`^${path}: must have at most 255 characters`));
  await refused(BEINGS, { action: "get", beingId: long }, error("beingId"));
  await refused(BEINGS, { action: "list", spaceId: long }, error("spaceId"));
  await refused(BEINGS, { action: "create", data: { id: long } }, error("data.id"));
  await refused(BEINGS, { action: "create", data: { ownerId: long } }, error("data.ownerId"));
  await refused(BEINGS, { action: "create", data: { locationId: long } }, error("data.locationId"));
  await refused(INTENTIONS, { action: "delete", intentionId: long }, error("intentionId"));
  await refused(INTENTIONS, { action: "list", spaceId: "s", before: long }, error("before"));
  for (const path of ["/api/stream", "/api/sync"]) {
    await refused(`${path}?spaceId=${encodeURIComponent(long)}`, undefined, error("spaceId"));
  }
});

test.each([
  ["NUL", "\\u0000", "a NUL character"],
  ["half of a surrogate pair", "\\ud83d", "half of a surrogate pair"],
  ["the other half", "\\ude00 x", "half of a surrogate pair"],
])("%s is refused in every text, and in keys and values however deep", async (_, text, fault) => {
  const spaceId = await newSpace(relay.current);
  const at = (path: string) => invalid(new RegExp(`^${path}: has ${fault}`));
  const being = (data: string) => `{"action":"create","beingId":"never","data":${data}}`;
  await refused(BEINGS, `{"action":"get","beingId":"a${text}"}`, at("beingId"));
  await refused(BEINGS, `{"action":"list","spaceId":"a${text}"}`, at("spaceId"));
  await refused(BEINGS, being(`{"name":"a${text}"}`), at("data.name"));
  await refused(BEINGS, being(`{"ownerId":"a${text}"}`), at("data.ownerId"));
  await refused(BEINGS, being(`{"metadata":{"a${text}":1}}`), at("data.metadata"));
  await refused(BEINGS, being(`{"properties":{"a":[{"b":{"c${text}":1}}]}}`), at("data.properties"));
  await refused(BEINGS, being(`{"content":"${text}"}`), at("data.content"));
  for (const content of [`["${text}"]`, `[{"k${text}":1}]`, `[[[[{"a":[{"b":"${text}"}]}]]]]`]) {
    const body = `{"action":"create","spaceId":"${spaceId}","data":{"content":${content}}}`;
    await refused(INTENTIONS, body, at("data.content"));
  }
});

test("control characters are refused in IDs, and kept in names", async () => {
  const spaceId = await newSpace(relay.current);
  for (const character of ["\n", "\t", "\r", "\u0001", "\u007f", "\u0085"]) {
    const error = invalid(/must not have control characters/);
    await refused(BEINGS, { action: "create", beingId: `a${character}b` }, error);
    await refused(BEINGS, { action: "create", data: { ownerId: `a${character}b` } }, error);
    await refused(`/api/stream?spaceId=${encodeURIComponent(`a${character}b`)}`, undefined, error);
    const named = { action: "create", spaceId, data: { name: `a${character}b` } };
    expect((await post(relay.current, "beings", named)).body.data.name).toBe(`a${character}b`);
  }
});

test("content may be nested 64 deep, and no deeper", async () => {
  const spaceId = await newSpace(relay.current);
  const body = (content: string) =>
    `{"action":"create","spaceId":"${spaceId}","data":{"content":${content}}}`;
  const error = (path: string) => invalid(`data.${path}: is nested more than 64 deep`);
  const stored = await post(relay.current, "intentions", body(nested(64)));
  expect(stored.body.data.content).toEqual(JSON.parse(nested(64)));
  await refused(INTENTIONS, body(nested(65)), error("content"));
  await refused(INTENTIONS, body(nested(100_000)), error("content"));
  const being = (data: string) => `{"action":"create","beingId":"deep","data":${data}}`;
  expect((await post(relay.current, "beings", being(`{"metadata":${objects(64)}}`))).status).toBe(200);
  await refused(BEINGS, being(`{"metadata":${objects(65)}}`), error("metadata"));
  await refused(BEINGS, being(`{"properties":${objects(40_000)}}`), error("properties"));
  await refused(BEINGS, nested(100_000), invalid(/object/));
  await refused(BEINGS, "[".repeat(200_000), invalid(/^the body is not JSON/));
  await refused(BEINGS, `{"action":"get","beingId":${nested(100_000)}}`, invalid(/^beingId: /));
});

test("a number that no double holds is refused instead of stored as null", async () => {
  const spaceId = await newSpace(relay.current);
  for (const number of ["1e999", "-1e400"]) {
    const message = `{"action":"create","spaceId":"${spaceId}","data":{"content":[{"n":[${number}]}]}}`;
    await refused(INTENTIONS, message, invalid("data.content: has a number that is too large"));
    const being = `{"action":"create","beingId":"n","data":{"metadata":{"n":${number}}}}`;
    await refused(BEINGS, being, invalid("data.metadata: has a number that is too large"));
  }
});
