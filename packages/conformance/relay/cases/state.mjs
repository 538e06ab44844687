import assert from "node:assert/strict";
import { createParser } from "eventsource-parser";
import { Replica } from "../../replica.mjs";

/** Section 9. */
export const state = [
  {
    rule: "9.1",
    promise: "P7",
    title: "the state and the stream are the same, at the same cursor",
    run: async (world) => {
      const spaceId = await world.space();
      const reader = await world.followed(spaceId);
      await Promise.all(["1", "2", "3"].map((text) => world.say(spaceId, text)));
      await world.equal(reader, spaceId);
    },
  },
  {
    rule: "9.1",
    title: "limit gives the newest messages, and says that there are more",
    run: async (world) => {
      const spaceId = await world.space();
      for (const text of ["1", "2", "3"]) await world.say(spaceId, text);
      const response = await world.api.ask(`/api/sync?spaceId=${spaceId}&limit=2`);
      const { intentions, hasMore } = await response.json();
      assert.deepEqual([intentions.map(({ content }) => content[0]), hasMore], [["2", "3"], true]);
    },
  },
  {
    rule: "9.2",
    title: "a poll that finds nothing new is 304, and one that does is not",
    run: async (world) => {
      const spaceId = await world.space();
      const first = await world.api.ask(`/api/sync?spaceId=${spaceId}`);
      const tag = first.headers.get("ETag");
      assert.equal(tag, `W/"${(await first.json()).cursor}"`);
      const poll = async () => {
        const response = await world.api.ask(`/api/sync?spaceId=${spaceId}`, {
          headers: { "If-None-Match": tag },
        });
        await response.body?.cancel();
        return response.status;
      };
      assert.equal(await poll(), 304);
      await world.say(spaceId);
      assert.equal(await poll(), 200);
    },
  },
  {
    rule: "9.3",
    title: "types chooses the lists",
    run: async (world) => {
      const spaceId = await world.space();
      const lists = async (types) => {
        const state = await (await world.api.ask(`/api/sync?spaceId=${spaceId}&types=${types}`)).json();
        return ["beings", "intentions", "entities"].filter((list) => list in state);
      };
      assert.deepEqual(await lists("beings"), ["beings"]);
      assert.deepEqual(await lists("intentions,beings"), ["beings", "intentions"]);
    },
  },
  {
    rule: "9.4",
    promise: "P3",
    title: "as a stream the state comes at each change, and says which one it was",
    run: async (world) => {
      const spaceId = await world.space();
      const closing = new AbortController();
      const headers = { Accept: "text/event-stream" };
      const { signal } = closing;
      const response = await world.api.ask(`/api/sync?spaceId=${spaceId}`, { headers, signal });
      const states = [];
      const parser = createParser({
        onEvent: ({ event, data, id }) => event || states.push({ id, ...JSON.parse(data) }),
      });
      const timer = setTimeout(() => closing.abort(), world.patienceMs);
      let said;
      try {
        const decoder = new TextDecoder();
        for await (const chunk of response.body) {
          parser.feed(decoder.decode(chunk, { stream: true }));
          if (states.length === 1) said ??= world.say(spaceId, "said");
          if (states.length > 1) break;
        }
      } catch (error) {
        if (error.name !== "AbortError") throw error;
      } finally {
        clearTimeout(timer);
        closing.abort();
      }
      assert.ok(said && states.length > 1, `${states.length} states came`);
      const { data } = await said;
      const last = states.at(-1);
      assert.equal(last.id, last.cursor);
      assert.deepEqual(last.changeInfo, { type: "add", entityType: "intention", entityId: data.id });
      assert.equal(Replica.of(last).difference(Replica.of(await world.api.state(spaceId))), null);
    },
  },
];
