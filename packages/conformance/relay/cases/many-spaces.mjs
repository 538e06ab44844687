import assert from "node:assert/strict";

const change = (world, { notices: [{ streamId }] }, body) => world.api.post(`stream/${streamId}`, body);
const typesOf = (reader) =>
  reader.groups.map(({ spaceId, events }) => `${spaceId} ${events.at(-1).type}`).sort();

/** Section 8. */
export const manySpaces = [
  {
    rule: "8.1",
    promise: "P3",
    title: "one stream brings many spaces, each with its own cursor",
    run: async (world) => {
      const ids = await Promise.all(Array.from({ length: 5 }, () => world.space()));
      const reader = await world.followMany(Object.fromEntries(ids.map((id) => [id, null])));
      for (const id of ids) await reader.reaches(1, id);
      await Promise.all(ids.flatMap((id) => [world.say(id, "1"), world.say(id, "2")]));
      for (const id of ids) await world.equal(reader, id);
    },
  },
  {
    rule: "8.2",
    title: "its first event says its ID, and no event has an SSE id",
    run: async (world) => {
      const spaceId = await world.space();
      const reader = await world.followMany({ [spaceId]: null });
      await reader.reaches(1, spaceId);
      const first = reader.messages.find(({ event }) => event !== "heartbeat");
      assert.equal(JSON.parse(first.data).type, "stream");
      assert.ok(reader.notices[0].streamId.length >= 16, "the ID is too short for a secret");
      assert.deepEqual(
        reader.messages.flatMap(({ id }) => id ?? []),
        [],
      );
    },
  },
  {
    rule: "8.4",
    promise: "P3",
    title: "what is refused of one space does not end the others",
    run: async (world) => {
      const [spaceId, nowhere, other] = [await world.space(), world.newId(), await world.space()];
      const reader = await world.followMany({ [nowhere]: null, [spaceId]: null, [other]: "nonsense" });
      await reader.until(() => reader.notices.length === 3, "two refusals");
      const codes = Object.fromEntries(reader.notices.slice(1).map(({ spaceId: of, code }) => [of, code]));
      assert.deepEqual(codes, { [nowhere]: "not_found", [other]: "invalid" });
      await world.say(spaceId);
      await world.equal(reader, spaceId);
    },
  },
  {
    rule: "8.5",
    promise: "P3",
    title: "spaces are added to a running stream, with a cursor or without, and dropped",
    run: async (world) => {
      const [a, b, c] = [await world.space(), await world.space(), await world.space()];
      const { cursor } = await world.api.state(c);
      const reader = await world.followMany({ [a]: null });
      await reader.reaches(1, a);
      const { status, body } = await change(world, reader, { add: { [b]: null }, drop: [a] });
      assert.deepEqual([status, body], [200, { success: true, spaces: 1 }]);
      await reader.reaches(1, b);
      const before = reader.groups.length;
      await world.say(a, "unheard");
      await world.say(b, "heard");
      await world.equal(reader, b);
      assert.deepEqual(
        reader.groups.slice(before).map(({ spaceId }) => spaceId),
        [b],
      );
      reader.replica(c).replace(await world.api.state(c));
      await world.say(c, "since");
      await change(world, reader, { add: { [c]: cursor } });
      await world.equal(reader, c);
    },
  },
  {
    rule: "8.6",
    promise: "P3",
    title: "a stream that the relay does not know is 404",
    run: async (world) => {
      const { status, body } = await world.api.post(`stream/${world.newId()}`, { drop: [] });
      assert.deepEqual([status, body.code], [404, "not_found"]);
    },
  },
  {
    rule: "8.8",
    promise: "P3",
    title: "who comes back with all cursors gets what each space lacks",
    run: async (world) => {
      const [a, b] = [await world.space(), await world.space()];
      const first = await world.followMany({ [a]: null, [b]: null });
      await first.reaches(1, a);
      await first.reaches(1, b);
      first.close();
      await world.say(a, "missed");
      const [known, quiet] = [first.replica(a), first.replica(b)];
      const again = await world.followMany({});
      again.replica(a).replace(stateOf(known));
      again.replica(b).replace(stateOf(quiet));
      await change(world, again, { add: { [a]: known.cursor, [b]: quiet.cursor } });
      await world.equal(again, a);
      await world.equal(again, b);
      assert.deepEqual(typesOf(again), [`${a} intention-created`]);
    },
  },
];

const stateOf = (replica) => ({
  version: replica.version,
  cursor: replica.cursor,
  beings: [...replica.list("being").values()],
  intentions: replica.messages,
});
