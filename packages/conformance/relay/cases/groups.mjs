import assert from "node:assert/strict";
import { Replica } from "../../replica.mjs";

const inShort = (events) => events.map(({ type, data, id }) => `${type} ${data?.id ?? id}`).sort();

/** Section 5, as far as the API can bring it about, and section 10. */
export const groups = [
  {
    rule: "5.2",
    promise: "P5",
    title: "only the last event of a group has prev, cursor and SSE id",
    run: async (world) => {
      const spaceId = await world.space();
      const known = Replica.of(await world.api.state(spaceId));
      for (const text of ["1", "2", "3"]) await world.say(spaceId, text);
      const reader = await world.follow(spaceId, { since: known.cursor, known });
      await reader.reaches(known.version + 3);
      for (const { events } of reader.groups) {
        for (const event of events.slice(0, -1))
          assert.deepEqual([event.prev, event.cursor], [undefined, undefined]);
        assert.notDeepEqual([events.at(-1).prev, events.at(-1).cursor], [undefined, undefined]);
      }
      const ids = reader.messages.flatMap(({ id }) => id ?? []);
      assert.deepEqual(
        ids,
        reader.groups.map(({ events }) => events.at(-1).cursor),
      );
    },
  },
  {
    rule: "5.3",
    promise: "P1",
    title: "each change raises the version by exactly 1",
    run: async (world) => {
      const spaceId = await world.space();
      const reader = await world.followed(spaceId);
      const first = reader.replica().version;
      for (let n = 1; n <= 10; n++) {
        await world.say(spaceId, `${n}`);
        await reader.until(() => reader.groups.length > n, `change ${n}`);
        const { prev, version } = reader.events.at(-1);
        assert.deepEqual([prev, version], [first + n - 1, first + n]);
      }
    },
  },
  {
    rule: "5.6",
    promise: "P3",
    title: "a row that changed several times comes once, created for those who do not have it",
    run: async (world) => {
      const spaceId = await world.space();
      const before = Replica.of(await world.api.state(spaceId));
      const { data } = await world.say(spaceId, "1");
      const between = Replica.of(await world.api.state(spaceId));
      for (const text of ["2", "3"]) await world.update(data.id, { content: [text] });
      const gone = (await world.say(spaceId, "comes and goes")).data.id;
      await world.remove(gone);
      const { version } = await world.api.state(spaceId);
      const told = async (known) => {
        const reader = await world.follow(spaceId, { since: known.cursor, known });
        await reader.reaches(version);
        return reader.events.filter((event) => event.data?.id === data.id).map(({ type }) => type);
      };
      assert.deepEqual(await told(before), ["intention-created"]);
      assert.deepEqual(await told(between), ["intention-updated"]);
    },
  },
  {
    rule: "5.6",
    promise: "P3",
    title: "a row that moves is deleted in the one space, and created in the other",
    run: async (world) => {
      const [from, to] = [await world.space(), await world.space()];
      const { data } = await world.say(from, "moves");
      const [left, right] = [await world.followed(from), await world.followed(to)];
      await world.update(data.id, { locationId: to });
      await left.until(() => left.groups.length === 2, "the deletion");
      await right.until(() => right.groups.length === 2, "the creation");
      assert.deepEqual(inShort(left.groups[1].events), [`intention-deleted ${data.id}`]);
      assert.deepEqual(inShort(right.groups[1].events), [`intention-created ${data.id}`]);
    },
  },
  {
    rule: "5.7",
    promise: "P7",
    title: "a space-sync holds all up to its version, also among writers",
    run: async (world) => {
      const spaceId = await world.space();
      const answered = [];
      let isWriting = true;
      const write = async () => {
        for (let n = 0; n < 12; n++) {
          const { data, version } = await world.say(spaceId, `${n}`);
          answered.push([data.id, version]);
        }
      };
      const readers = [];
      const join = async () => {
        while (isWriting) readers.push(await world.followed(spaceId));
      };
      const joining = join();
      await Promise.all([write(), write(), write()]).finally(() => {
        isWriting = false;
      });
      await joining;
      for (const reader of readers) {
        const { version, intentions } = reader.events[0];
        const has = new Set(intentions.map(({ id }) => id));
        const lacks = answered.filter(([id, at]) => at <= version && !has.has(id));
        assert.deepEqual(lacks, [], `of version ${version}`);
        await world.equal(reader, spaceId);
      }
    },
  },
  {
    rule: "10.2",
    title: "a text that grows, by whole rows or by appends, is the text",
    run: async (world) => {
      const spaceId = await world.space();
      const { data } = await world.say(spaceId, "");
      const reader = await world.followed(spaceId, { appends: true });
      let text = "";
      for (const word of ["Hello", ", 🌍", "!", " Grüße\n", "\u{1F468}\u200D\u{1F469}"]) {
        text += word;
        const { version } = await world.update(data.id, { content: [text] });
        await reader.reaches(version);
        assert.deepEqual(reader.replica().list("intention").get(data.id).content, [text]);
      }
      await world.update(data.id, { content: ["replaced"], state: "complete" });
      await world.equal(reader, spaceId);
    },
  },
  {
    rule: "10.1",
    title: "who did not ask for appends, or comes back, gets rows whole",
    run: async (world) => {
      const spaceId = await world.space();
      const { data } = await world.say(spaceId, "a");
      const asked = await world.followed(spaceId, { appends: true });
      const plain = await world.followed(spaceId);
      const known = Replica.of(await world.api.state(spaceId));
      for (const text of ["ab", "abc", "abcd"]) {
        const { version } = await world.update(data.id, { content: [text] });
        await Promise.all([asked.reaches(version), plain.reaches(version)]);
      }
      const back = await world.follow(spaceId, { since: known.cursor, known, appends: true });
      await Promise.all([
        world.equal(back, spaceId),
        world.equal(plain, spaceId),
        world.equal(asked, spaceId),
      ]);
      const types = [...plain.events, ...back.events].map(({ type }) => type);
      assert.deepEqual(
        types.filter((type) => type.endsWith("-appended")),
        [],
      );
    },
  },
];
