import assert from "node:assert/strict";
import { request } from "node:http";
import { request as requestTls } from "node:https";
import { epochOf, Replica } from "../../replica.mjs";
import { NotRun } from "../../report.mjs";
import { Reader } from "../reader.mjs";

const FOREIGN = "0123456789abcdef";
const firstOf = async (reader) => {
  await reader.until(() => reader.groups.length > 0, "the first group");
  return reader.events[0].type;
};

/** Sections 4 and 7: the stream of one space, how it begins and where, and its heartbeat. */
export const stream = [
  {
    rule: "4.1",
    title: "a stream is an event stream, and an unknown space is 404 before it begins",
    run: async (world) => {
      const reader = await world.followed(await world.space());
      assert.match(reader.response.headers.get("Content-Type"), /^text\/event-stream/);
      const response = await world.api.ask(`/api/stream?spaceId=${world.newId()}`);
      assert.deepEqual([response.status, (await response.json()).code], [404, "not_found"]);
    },
  },
  {
    rule: "4.2",
    title: "a stream says how long to wait before one comes back",
    run: async (world) => {
      const reader = await world.followed(await world.space());
      assert.ok(reader.retry > 0, `retry is ${reader.retry}`);
    },
  },
  {
    rule: "4.4",
    title: "a since that is nothing of what it may be is refused",
    run: async (world) => {
      const response = await world.api.ask(`/api/stream?spaceId=${await world.space()}&since=nonsense`);
      assert.deepEqual([response.status, (await response.json()).code], [400, "invalid"]);
    },
  },
  {
    rule: "4.5",
    promise: "P3",
    title: "Last-Event-ID beats since",
    run: async (world) => {
      const spaceId = await world.space();
      const old = (await world.api.state(spaceId)).cursor;
      const known = Replica.of(await world.api.state(spaceId));
      await world.say(spaceId);
      const { cursor: newest } = await world.api.state(spaceId);
      const reader = await world.follow(spaceId, { lastEventId: old, since: newest, known });
      assert.equal(await firstOf(reader), "intention-created");
    },
  },
  ...[
    ["4.5", "a Last-Event-ID that says nothing", (_, id) => [id, { lastEventId: "nonsense" }]],
    ["4.6", "a cursor of another epoch", ({ version }, id) => [id, { since: `${FOREIGN}.${version}` }]],
    ["4.6", "a cursor ahead of the space", ({ cursor }, id) => [id, { since: `${epochOf(cursor)}.999999` }]],
  ].map(([rule, what, options]) => ({
    rule,
    promise: "P11",
    title: `${what} gets a space-sync`,
    run: async (world) => {
      const spaceId = await world.space();
      await world.say(spaceId);
      const reader = await world.follow(...options(await world.api.state(spaceId), spaceId));
      assert.equal(await firstOf(reader), "space-sync");
      await world.equal(reader, spaceId);
    },
  })),
  {
    rule: "4.6",
    promise: "P3",
    title: "who is far behind ends equal, and has the newest messages",
    run: async (world) => {
      const spaceId = await world.space();
      const known = Replica.of(await world.api.state(spaceId));
      for (let n = 0; n < 6; n++) await Promise.all(Array.from({ length: 20 }, () => world.say(spaceId)));
      const reader = await world.follow(spaceId, { since: known.cursor, known });
      await world.equal(reader, spaceId);
    },
  },
  {
    rule: "4.7",
    promise: "P3",
    title: "whoever comes back with a cursor, any of them, ends equal",
    run: async (world) => {
      const spaceId = await world.space();
      const writes = [];
      const kept = [Replica.of(await world.api.state(spaceId))];
      for (let n = 0; n < 8; n++) {
        writes.push((await world.say(spaceId, `${n}`)).data.id);
        if (n % 3 === 1) await world.update(writes[n - 1], { content: [`changed after ${n}`] });
        if (n % 3 === 2) await world.remove(writes[n - 2]);
        kept.push(Replica.of(await world.api.state(spaceId)));
      }
      for (const known of kept) {
        await world.equal(await world.follow(spaceId, { since: known.cursor, known }), spaceId);
      }
    },
  },
  {
    rule: "4.7",
    promise: "P3",
    title: "readers who come and go among many writers end equal",
    run: async (world) => {
      const spaceId = await world.space();
      let isWriting = true;
      const write = async () => {
        for (let n = 0; n < 10; n++) {
          const { data } = await world.say(spaceId, `${n}`);
          if (n % 2) await world.update(data.id, { content: [`${n} again`] });
          if (n % 5 === 4) await world.remove(data.id);
        }
      };
      const come = async () => {
        let reader = await world.followed(spaceId);
        while (isWriting) {
          const before = reader.groups.length;
          await reader.until(() => !isWriting || reader.groups.length > before + 1, "what is written");
          reader.close();
          const known = reader.replica();
          reader = await world.follow(spaceId, { since: known.cursor, known });
        }
        await world.equal(reader, spaceId);
      };
      const readers = [come(), come(), come()];
      await Promise.all([write(), write(), write(), write()]).finally(() => {
        isWriting = false;
      });
      await Promise.all(readers);
    },
  },
  {
    rule: "4.8",
    promise: "P10",
    title: "a reader who takes nothing for a while misses nothing, and nobody waits for it",
    run: async (world) => {
      const spaceId = await world.space();
      const stuck = await openStuck(world.api, spaceId);
      try {
        const reader = await world.followed(spaceId);
        for (let n = 0; n < 40; n++) await world.say(spaceId, `${n}`.padEnd(200_000, "x"));
        await world.equal(reader, spaceId);
        const slow = new Reader({ [spaceId]: null }, false, world.patienceMs);
        await slow.open({ ask: async () => stuck.answer() }, "");
        const { version } = await world.api.state(spaceId);
        const end = () => slow.isOver || slow.replica().version >= version;
        await slow.until(end, "what was missed, or the end").catch((error) => {
          if (!slow.isOver || /^rule/.test(error.message)) throw error;
        });
        const known = slow.replica();
        const back = known.version < 0 ? {} : { since: known.cursor, known };
        await world.equal(slow.isOver ? await world.follow(spaceId, back) : slow, spaceId);
      } finally {
        stuck.close();
      }
    },
  },
  {
    rule: "7.1",
    promise: "P3",
    title: "a heartbeat comes at once, says when the next one comes, and that one comes",
    run: async (world) => {
      const reader = await world.followed(await world.space());
      await reader.until(() => reader.beats.length > 0, "a heartbeat");
      const { everyMs } = reader.beats[0];
      assert.ok(everyMs > 0, `everyMs is ${everyMs}`);
      if (everyMs > world.patienceMs) throw new NotRun(`a heartbeat comes every ${everyMs} ms only`);
      await reader.until(() => reader.beats.length > 1, "the next heartbeat");
    },
  },
  {
    rule: "7.2",
    promise: "P3",
    title: "a heartbeat says the version that a reader should be at, or none",
    run: async (world) => {
      const spaceId = await world.space();
      const reader = await world.followed(spaceId);
      const { version } = await world.say(spaceId);
      await reader.reaches(version);
      const before = reader.beats.length;
      await reader.until(() => reader.beats.length > before, "a heartbeat");
      const said = reader.beats.at(-1).version;
      assert.ok(said === null || said === version, `it says ${said} at version ${version}`);
    },
  },
];

/** A stream of which nothing is read yet. */
async function openStuck(api, spaceId) {
  const url = new URL(`${api.base}/api/stream?${new URLSearchParams({ spaceId })}`);
  const asking = (url.protocol === "https:" ? requestTls : request)(url, { headers: api.headers });
  asking.end();
  const incoming = await new Promise((resolve, reject) => {
    asking.on("response", resolve).on("error", reject);
  });
  incoming.pause();
  incoming.on("error", () => {});
  return {
    answer: () => ({ ok: true, headers: new Headers(), body: incoming }),
    close: () => asking.destroy(),
  };
}
