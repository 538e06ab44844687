import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

const BEING = "content createdAt id locationId metadata modifiedAt name ownerId properties type";
const INTENTION = "content createdAt id locationId messageId modifiedAt name ownerId state type";
const fieldsOf = (row) => Object.keys(row).sort().join(" ");

/** Sections 1, 2, 3 and 11: rows, errors, writing, asking, limits. */
export const requests = [
  {
    rule: "1.6",
    promise: "P9",
    title: "a row has the fields that the protocol names, and no others",
    run: async (world) => {
      const spaceId = await world.space();
      const { data } = await world.say(spaceId);
      const reader = await world.followed(spaceId);
      const { beings, intentions } = await world.api.state(spaceId);
      const { list } = { list: (type) => [...reader.replica().list(type).values()] };
      for (const being of [...beings, ...list("being")]) assert.equal(fieldsOf(being), BEING);
      for (const message of [data, ...intentions, ...list("intention")])
        assert.equal(fieldsOf(message), INTENTION);
    },
  },
  {
    rule: "2.1",
    title: "a refusal has a status, success false, a code, and what is wrong",
    run: async (world) => {
      const nowhere = world.newId();
      const refusals = [
        [await world.api.post("intentions", { action: "dance" }), 400, "invalid"],
        [await world.api.post("intentions", "{no json"), 400, "invalid"],
        [await world.api.post("intentions", { action: "get", intentionId: nowhere }), 404, "not_found"],
        [await world.api.post("beings", { action: "list", spaceId: nowhere }), 404, "not_found"],
        [await world.api.post("nothing", {}), 404, "not_found"],
      ];
      for (const [{ status, body }, wanted, code] of refusals) {
        assert.deepEqual([status, body?.success, body?.code], [wanted, false, code]);
        assert.ok(body.error.length > 0, "error is empty");
      }
    },
  },
  {
    rule: "3.2",
    promise: "P2",
    title: "a reader at the version of an answer has the change, also among many writers",
    run: async (world) => {
      const spaceId = await world.space();
      const reader = await world.followed(spaceId);
      const write = async (_, n) => {
        const { data, version } = await world.say(spaceId, `${n}`);
        const replica = await reader.reaches(version);
        assert.ok(
          replica.list("intention").has(data.id),
          `version ${version} lacks the message that it brings`,
        );
      };
      for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: 12 }, write));
      await world.equal(reader, spaceId);
    },
  },
  {
    rule: "3.3",
    promise: "P3",
    title: "create again is the same row if it is the same, else a conflict",
    run: async (world) => {
      const spaceId = await world.space();
      const id = randomUUID();
      const first = await world.say(spaceId, "once", id);
      const again = await world.say(spaceId, "once", id);
      assert.deepEqual(again.data, first.data);
      const data = { content: ["other"] };
      const other = await world.api.post("intentions", { action: "create", spaceId, intentionId: id, data });
      assert.deepEqual([other.status, other.body.code], [409, "conflict"]);
      assert.equal((await world.api.state(spaceId)).version, first.version);
    },
  },
  {
    rule: "3.4",
    promise: "P4",
    title: "what is refused changes no version, and no reader hears of it",
    run: async (world) => {
      const spaceId = await world.space();
      const { data } = await world.say(spaceId, "here");
      const reader = await world.followed(spaceId);
      const before = reader.replica().version;
      const refused = [
        { action: "create", spaceId, intentionId: data.id, data: { content: ["other"] } },
        { action: "create", spaceId, data: { content: "no array" } },
        { action: "update", intentionId: data.id, data: { type: "no type" } },
        { action: "update", intentionId: world.newId(), data: { content: ["nobody"] } },
        { action: "delete", intentionId: world.newId() },
      ];
      for (const body of refused) assert.notEqual((await world.api.post("intentions", body)).status, 200);
      await world.say(spaceId, "next");
      await reader.until(() => reader.groups.length === 2, "the next message");
      const events = reader.groups[1].events.map(({ type, prev, version }) => [type, prev, version]);
      assert.deepEqual(events, [["intention-created", before, before + 1]]);
    },
  },
  {
    rule: "3.5",
    title: "an update sets the fields that it names; one that changes nothing raises no version",
    run: async (world) => {
      const spaceId = await world.space();
      const { data, version } = await world.say(spaceId, "as it was");
      assert.equal((await world.update(data.id, { content: ["as it was"] })).version, version);
      const { data: named } = await world.update(data.id, { name: "named" });
      assert.deepEqual([named.name, named.content], ["named", ["as it was"]]);
    },
  },
  {
    rule: "3.6",
    title: "list gives the newest messages, oldest first, and before the older ones",
    run: async (world) => {
      const spaceId = await world.space();
      const all = [];
      for (const text of ["1", "2", "3", "4", "5"]) all.push((await world.say(spaceId, text)).data);
      const page = async (more) => {
        const { data, hasMore } = await world.api.change("intentions", {
          action: "list",
          spaceId,
          limit: 2,
          ...more,
        });
        return [data.map(({ content }) => content[0]).join(), hasMore];
      };
      assert.deepEqual(await page({}), ["4,5", true]);
      assert.deepEqual(await page({ before: all[3].messageId }), ["2,3", true]);
      assert.deepEqual(await page({ before: all[1].messageId }), ["1", false]);
    },
  },
  {
    rule: "3.8",
    promise: "P6",
    title: "a create, an update, a delete, of messages and of beings, are each an event",
    run: async (world) => {
      const spaceId = await world.space();
      const reader = await world.followed(spaceId);
      const beingId = world.newId("guest");
      const step = async (path, body) => reader.reaches((await world.api.change(path, body)).version);
      const intentionId = randomUUID();
      await step("intentions", { action: "create", spaceId, intentionId });
      await step("intentions", { action: "update", intentionId, data: { state: "failed" } });
      await step("beings", { action: "create", spaceId, beingId, data: { type: "guest" } });
      await step("beings", { action: "update", beingId, data: { name: "Ann" } });
      await step("intentions", { action: "delete", intentionId });
      await step("beings", { action: "delete", beingId });
      const told = reader.events.slice(1).map(({ type, data, id }) => `${type} ${data?.id ?? id}`);
      assert.deepEqual(told, [
        `intention-created ${intentionId}`,
        `intention-updated ${intentionId}`,
        `being-created ${beingId}`,
        `being-updated ${beingId}`,
        `intention-deleted ${intentionId}`,
        `being-deleted ${beingId}`,
      ]);
    },
  },
  {
    rule: "3.9",
    title: "numbers are sent digit for digit",
    run: async (world) => {
      const spaceId = await world.space();
      const body = `{"action":"create","spaceId":${JSON.stringify(spaceId)},"data":{"content":[12345678901234567890.5]}}`;
      assert.equal((await world.api.post("intentions", body)).status, 200);
      const response = await world.api.ask(`/api/sync?${new URLSearchParams({ spaceId })}`);
      assert.match(await response.text(), /12345678901234567890\.5/);
    },
  },
  {
    rule: "11.1",
    title: "a body of more than 256 KiB and an ID of more than 255 characters are refused",
    run: async (world) => {
      const spaceId = await world.space();
      const create = (more) => world.api.post("intentions", { action: "create", spaceId, ...more });
      const [large, long] = [
        await create({ data: { content: ["x".repeat(256 * 1024)] } }),
        await create({ intentionId: "x".repeat(256) }),
      ];
      assert.deepEqual([large.status, large.body?.code, long.status], [413, "too_large", 400]);
    },
  },
  {
    rule: "11.3",
    title: "unknown parameters are ignored, one of ours that is given twice is refused",
    run: async (world) => {
      const spaceId = await world.space();
      const ask = async (query) => (await world.api.ask(`/api/sync?spaceId=${spaceId}${query}`)).status;
      assert.deepEqual([await ask("&_=1"), await ask("&limit=1&limit=2")], [200, 400]);
    },
  },
];
