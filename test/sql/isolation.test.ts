import { expect, test } from "vitest";
import { awake } from "../support/postgres/awake.js";
import { useDatabase } from "../support/postgres/database.js";
import { type Session, useSession } from "../support/postgres/session.js";
import { faults, recordAll, recordOf, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const a = useSession(db);
const b = useSession(db);

const insert = (id: string, spaceId: string) =>
  `insert into intentions (id, location_id) values ('${id}', '${spaceId}')`;
const insertMany = (prefix: string, spaceId: string, count = 100) =>
  `insert into intentions (id, location_id) select '${prefix}-' || n, '${spaceId}' from generate_series(1, ${count}) n`;

/** One turn of a relay, that leaves nothing. */
async function record(s: Session) {
  await recordAll(s);
  expect(await s.value("select count(*)::int from sync.notes")).toBe(0);
  expect(await faults(s)).toEqual([]);
}

for (const level of ["repeatable read", "serializable"]) {
  const name = level.replace(" ", "-");

  test(`P6: a ${level} writer is not refused when its space was written in since, and loses nothing`, async () => {
    await a.run(insert(`${name}-0`, name));
    await a.run(`begin isolation level ${level}`, "select 1", insert(`${name}-a`, name));
    await b.run(insert(`${name}-b`, name));
    expect(await a.refusal("commit")).toBeUndefined();
    expect(await recordOf(a, name), "left to a relay").toEqual([
      `intention ${name}-0 1..1`,
      `intention ${name}-b 2..2`,
    ]);
    await record(b);
    expect(await recordOf(a, name)).toEqual([
      `intention ${name}-0 1..1`,
      `intention ${name}-a 3..3`,
      `intention ${name}-b 2..2`,
    ]);
  });

  test(`P6: a ${level} writer is not refused when the space came into being since`, async () => {
    await a.run(`begin isolation level ${level}`, "select 1", insert(`${name}-new-a`, `${name}-new`));
    await b.run(insert(`${name}-new-b`, `${name}-new`));
    expect(await a.refusal("commit")).toBeUndefined();
    await record(a);
    expect(await recordOf(a, `${name}-new`)).toEqual([
      `intention ${name}-new-a 2..2`,
      `intention ${name}-new-b 1..1`,
    ]);
  });

  test(`P3: what a ${level} writer has left is recorded by the next commit in its space, too`, async () => {
    await a.run(insert(`${name}-1`, `${name}-1`), insert(`${name}-2`, `${name}-2`));
    await a.run(`begin isolation level ${level}`, "select 1");
    await b.run(insert(`${name}-3`, `${name}-2`));
    await a.run(
      insert(`${name}-4`, `${name}-1`),
      `update intentions set name = 'n' where id = '${name}-1'`,
      "commit",
    );
    expect(await recordOf(a, `${name}-1`)).toEqual([`intention ${name}-1 1..1`]);
    await b.run(insert(`${name}-5`, `${name}-1`));
    expect(await recordOf(a, `${name}-1`)).toEqual([
      `intention ${name}-1 1..2`,
      `intention ${name}-4 2..2`,
      `intention ${name}-5 2..2`,
    ]);
    expect(await faults(a)).toEqual([]);
  });

  test(`P6: a ${level} writer with set constraints all immediate, and one of many rows, are left as well`, async () => {
    const space = `${name}-immediate`;
    await a.run(
      `begin isolation level ${level}`,
      "set constraints all immediate",
      insert(`${space}-a`, space),
    );
    await b.run(insert(`${space}-b`, space));
    await a.run(insertMany(space, space, 1500), "commit");
    expect(await versionOf(a, space)).toBe(1);
    await record(b);
    expect(await versionOf(a, space)).toBe(2);
    expect(await recordOf(a, space)).toHaveLength(1502);
  });

  test(`P2: a recording in a ${level} transaction takes nothing that another one has recorded since, and loses nothing`, async () => {
    const space = `${name}-relay`;
    await a.run(awake, insert(`${space}-a`, space));
    await a.run(`begin isolation level ${level}`, "select 1");
    await b.run(insert(`${space}-b`, space), "select sync.record()");
    await a.outcome("select sync.record()");
    await a.run("rollback", "select sync.relay_seen(false)");
    await record(a);
    expect(await recordOf(a, space)).toEqual([`intention ${space}-a 1..1`, `intention ${space}-b 1..1`]);
  });
}

test("P6: serializable writers in different spaces do not refuse one another, be they small or big", async () => {
  for (const write of [insert, insertMany]) {
    const id = `apart-${write.name}`;
    await a.run("begin isolation level serializable", write(`${id}-a`, `${id}-a`));
    await b.run("begin isolation level serializable", write(`${id}-b`, `${id}-b`));
    expect([await a.refusal("commit"), await b.refusal("commit")]).toEqual([undefined, undefined]);
    await record(a);
    expect([await versionOf(a, `${id}-a`), await versionOf(a, `${id}-b`)]).toEqual([1, 1]);
  }
});

test("P6: a serializable reader beside a writer sees a state that was there", async () => {
  await a.run(insert("reader-1", "reader"));
  await b.run("begin isolation level serializable read only");
  expect(await b.value("select version::int from sync.snapshot('reader')")).toBe(1);
  await a.run(insert("reader-2", "reader"));
  expect(await b.value("select json_array_length(intentions) from sync.snapshot('reader')")).toBe(1);
  expect(await b.refusal("commit")).toBeUndefined();
});
