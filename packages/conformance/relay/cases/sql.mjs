import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { epochOf } from "../../replica.mjs";
import { NotRun } from "../../report.mjs";

const SAY = "insert into public.intentions (id, location_id, content) values ($1, $2, '[\"sql\"]')";
const inShort = (events) => events.map(({ type, data, id }) => `${type} ${data?.id ?? id}`).sort();
const told = async (reader, groups) => {
  await reader.until(() => reader.groups.length >= groups, `group ${groups}`);
  return inShort(reader.groups[groups - 1].events);
};

/** In a transaction, that is rolled back if the work fails. */
async function within(world, work, mode = "") {
  await world.sql(`begin ${mode}`);
  try {
    await work();
    await world.sql("commit");
  } catch (error) {
    await world.sql("rollback");
    throw error;
  }
}

/** What only a session of one's own can bring about. The last one changes the epoch of the whole database. */
export const sql = [
  {
    rule: "5.4",
    promise: "P5",
    title: "all that a transaction changed in a space is in one group, and its spaces have one each",
    run: async (world) => {
      const [a, b] = [await world.space(), await world.space()];
      const [inA, inB] = [await world.followed(a), await world.followed(b)];
      const [one, two, three, guest] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
      await within(world, async () => {
        await world.sql(SAY, [one, a]);
        await world.sql(SAY, [two, b]);
        await world.sql("insert into public.beings (id, type, location_id) values ($1, 'guest', $2)", [
          guest,
          a,
        ]);
        await world.sql(SAY, [three, a]);
      });
      const wanted = [`being-created ${guest}`, `intention-created ${one}`, `intention-created ${three}`];
      assert.deepEqual(await told(inA, 2), wanted.sort());
      assert.deepEqual(await told(inB, 2), [`intention-created ${two}`]);
    },
  },
  {
    rule: "5.5",
    promise: "P4",
    title: "what was rolled back, whole or to a savepoint, is never sent",
    run: async (world) => {
      const spaceId = await world.space();
      const reader = await world.followed(spaceId);
      const [never, undone, kept] = [randomUUID(), randomUUID(), randomUUID()];
      await world.sql("begin");
      await world.sql(SAY, [never, spaceId]);
      await world.sql("rollback");
      await within(world, async () => {
        await world.sql("savepoint here");
        await world.sql(SAY, [undone, spaceId]);
        await world.sql("rollback to savepoint here");
        await world.sql(SAY, [kept, spaceId]);
      });
      assert.deepEqual(await told(reader, 2), [`intention-created ${kept}`]);
      await world.equal(reader, spaceId);
    },
  },
  {
    rule: "3.8",
    promise: "P6",
    title: "whatever statement changes rows, at any isolation level, is heard",
    run: async (world) => {
      const spaceId = await world.space();
      const reader = await world.followed(spaceId);
      const ids = [randomUUID(), randomUUID()].sort();
      const all = (verb, of = ids) => of.map((id) => `intention-${verb} ${id}`);
      await world.sql(
        "insert into public.intentions (id, location_id) select id, $2 from unnest($1::text[]) as id",
        [ids, spaceId],
      );
      assert.deepEqual(await told(reader, 2), all("created"));
      await within(
        world,
        () => world.sql("update public.intentions set name = 'all' where location_id = $1", [spaceId]),
        "isolation level serializable",
      );
      assert.deepEqual(await told(reader, 3), all("updated"));
      await world.sql(`${SAY} on conflict (id) do update set state = 'failed'`, [ids[0], spaceId]);
      assert.deepEqual(await told(reader, 4), all("updated", [ids[0]]));
      await world.sql("delete from public.intentions where location_id = $1", [spaceId]);
      assert.deepEqual(await told(reader, 5), all("deleted"));
      await world.equal(reader, spaceId);
    },
  },
  {
    rule: "3.8",
    promise: "P8",
    title: "an open transaction holds up no other writer, and no reader",
    run: async (world) => {
      const spaceId = await world.space();
      const reader = await world.followed(spaceId);
      const [open, other] = [randomUUID(), randomUUID()];
      await within(world, async () => {
        await world.sql(SAY, [open, spaceId]);
        await Promise.race([
          world.say(spaceId, "meanwhile", other),
          new Promise((_, reject) => {
            setTimeout(() => reject(new Error("another writer waits")), world.patienceMs).unref();
          }),
        ]);
        assert.deepEqual(await told(reader, 2), [`intention-created ${other}`]);
      });
      assert.deepEqual(await told(reader, 3), [`intention-created ${open}`]);
    },
  },
  {
    rule: "1.5",
    promise: "P9",
    title: "a column that is not named never leaves, however a tracked table is read",
    run: async (world) => {
      const secret = `secret-${randomUUID()}`;
      const [spaceId, table] = [await world.space(), `conformance_${randomUUID().slice(0, 8)}`];
      const type = `t${table.slice(-8)}`;
      await create(world, table, type);
      try {
        const reader = await world.followed(spaceId);
        await world.sql(`insert into public.${table} values ('row', $1, 'open', $2)`, [spaceId, secret]);
        assert.deepEqual(await told(reader, 2), [`${type}-created row`]);
        await world.sql(`update public.${table} set private = private || '!'`);
        await world.sql(`update public.${table} set title = 'other', private = private || '!'`);
        assert.deepEqual(await told(reader, 3), [`${type}-updated row`]);
        await world.equal(reader, spaceId);
        const { data } = await world.api.change("entities", { action: "get", type, id: "row" });
        const answers = JSON.stringify([reader.messages, await world.api.state(spaceId), data]);
        assert.ok(!answers.includes(secret), "the secret has left");
        assert.equal(data.title, "other");
      } finally {
        await world.sql("select sync.untrack($1)", [type]);
        await world.sql(`drop table public.${table}`);
      }
    },
  },
  {
    rule: "4.9",
    promise: "P11",
    title: "another epoch reaches open streams, and old cursors get a space-sync",
    run: async (world) => {
      const spaceId = await world.space();
      const reader = await world.followed(spaceId);
      const { cursor: old } = reader.replica();
      await world.sql("select sync.reset()");
      await reader.until(() => epochOf(reader.replica().cursor) !== epochOf(old), "the new epoch");
      assert.equal(reader.events.at(-1).type, "space-sync");
      const back = await world.follow(spaceId, { since: old });
      await world.say(spaceId, "after");
      await world.equal(back, spaceId);
      await world.equal(reader, spaceId);
      assert.equal(back.events[0].type, "space-sync");
    },
  },
];

async function create(world, table, type) {
  try {
    await world.sql(
      `create table public.${table} (id text primary key, space text, title text, private text)`,
    );
    await world.sql("select sync.track($1, space => 'space', columns => array['id', 'title'], name => $2)", [
      `public.${table}`,
      type,
    ]);
    await world.sql("call sync.fill($1)", [type]);
  } catch (error) {
    if (error.code !== "42501") throw error;
    throw new NotRun(`this role may not: ${error.message}`);
  }
}
