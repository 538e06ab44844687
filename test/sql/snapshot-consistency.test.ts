import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { type Row, Session } from "../support/postgres/session.js";
import { keepDoing } from "../support/process/keep-doing.js";
import { eventsSince, faults } from "../support/relay/feed.js";

const db = useDatabase();

/** A space as a client holds it. */
interface State {
  version: number;
  entities: Map<string, unknown>;
}

async function snapshot(s: Session, spaceId: string): Promise<State> {
  const [row] = await s.query("select version::int, beings, intentions from sync.snapshot($1, 10000)", [
    spaceId,
  ]);
  const entities = [row?.beings, row?.intentions].flat() as Row[];
  return { version: row?.version as number, entities: new Map(entities.map((e) => [e.id as string, e])) };
}

const without = (entities: State["entities"], ids: Set<string>) =>
  new Map([...entities].filter(([id]) => !ids.has(id)));

test("P7: what is committed after the snapshot of a transaction is in neither its version nor its rows", async () => {
  const [reader, writer] = [await Session.open(db), await Session.open(db)];
  await writer.run("insert into beings (id, type, name) values ('still', 'space', 'before')");
  await reader.run("begin isolation level repeatable read", "select 1");
  await writer.run("update beings set name = 'after' where id = 'still'");
  await writer.run("insert into intentions (id, location_id) values ('m', 'still')");
  expect(await snapshot(reader, "still")).toMatchObject({
    version: 1,
    entities: new Map([["still", expect.objectContaining({ name: "before" })]]),
  });
  expect(await eventsSince(reader, "still", 0)).toMatchObject([{ version: 1, data: { name: "before" } }]);
  expect(await reader.value("select sync.resolve_cursor('still', '2')")).toBeNull();
  await reader.run("commit");
  expect((await snapshot(reader, "still")).version).toBe(3);
});

test("P7: each snapshot is the state at its version while a writer commits between", async () => {
  const [reader, writer] = [await Session.open(db), await Session.open(db)];
  await writer.run("insert into beings (id, location_id, name) values ('clock', 'busy', '1')");
  const writing = keepDoing((n) =>
    writer.run(
      `begin; insert into intentions (id, location_id) values ('tick-${n}', 'busy');
       update beings set name = '${n + 1}' where id = 'clock'; commit`,
    ),
  );
  for (let version = 1; version < 200; ) {
    const seen = await snapshot(reader, "busy");
    expect(seen.entities.get("clock")).toMatchObject({ name: String(seen.version) });
    expect(seen.entities.size).toBe(seen.version);
    version = seen.version;
  }
  await writing.stop();
});

test("P3, P5, P7: the state at v and the events from v to w are the snapshot at w, but for what waits for w + 1 as a whole", async () => {
  const reader = await Session.open(db);
  const writers = await Promise.all([1, 2, 3].map(() => Session.open(db)));
  await reader.run("insert into beings (id, location_id) values ('oracle', 'oracle')");
  let working = writers.length;
  const work = writers.map(async (writer, w) => {
    for (let n = 0; n < 80; n++) {
      await writer.run(
        `begin; insert into intentions (id, location_id) values ('${w}-${n}', 'oracle');
         insert into beings (id, location_id) values ('b-${w}-${n}', 'oracle-${n % 2}');
         update intentions set content = '[${n}]', location_id = 'oracle' where id = '${w}-${n - 1}';
         update intentions set location_id = 'oracle-2' where id = '${w}-${n - 3}';
         update beings set location_id = 'oracle' where id = 'b-${w}-${n - 2}';
         delete from beings where id = 'b-${w}-${n - 5}'; commit`,
      );
    }
    working--;
  });
  let here = await snapshot(reader, "oracle");
  let steps = 0;
  const recorder = await Session.open(db);
  const recording = keepDoing((n) => recorder.query("select sync.record()").then(() => setTimeout(n % 40)));
  while (true) {
    const last = working === 0;
    await reader.run("begin isolation level repeatable read");
    const events = (await eventsSince(reader, "oracle", here.version, 1000)) ?? [];
    const there = await snapshot(reader, "oracle");
    const waiting = await reader.query(
      "select distinct unnest(entity_ids) as id from sync.notes where space_id = 'oracle'",
    );
    await reader.run("commit");
    if (events.length) expect(events.at(-1)?.prev).toBe(here.version);
    for (const event of events) {
      if (event.data) here.entities.set(event.data.id, event.data);
      else here.entities.delete(event.id as string);
    }
    here = { version: there.version, entities: here.entities };
    const pending = new Set(waiting.map(({ id }) => id as string));
    // An answer that has one of the rows that wait has all of them; else it has none, and they alone are missing.
    if (pending.size && !events.some(({ id, data }) => pending.has(id ?? (data?.id as string)))) {
      expect(without(here.entities, pending)).toEqual(without(there.entities, pending));
    } else expect(here.entities).toEqual(there.entities);
    if (events.length) steps++;
    if (last) break;
  }
  await Promise.all(work);
  await recording.stop();
  await recorder.query("select sync.record()");
  for (const event of (await eventsSince(reader, "oracle", here.version, 1000)) ?? []) {
    if (event.data) here.entities.set(event.data.id, event.data);
    else here.entities.delete(event.id as string);
  }
  expect(here.entities).toEqual((await snapshot(reader, "oracle")).entities);
  expect(steps).toBeGreaterThan(1);
  expect(await faults(reader)).toEqual([]);
});
