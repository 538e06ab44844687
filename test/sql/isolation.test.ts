import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/database.js";
import { faults, recordOf, versionOf } from "../support/feed.js";
import { Session } from "../support/session.js";

const db = useDatabase();
let a: Session;
let b: Session;

beforeAll(async () => {
  [a, b] = [await Session.open(db), await Session.open(db)];
});

const insert = (id: string, spaceId: string) =>
  `insert into intentions (id, location_id) values ('${id}', '${spaceId}')`;
const insertMany = (prefix: string, spaceId: string) =>
  `insert into intentions (id, location_id) select '${prefix}-' || n, '${spaceId}' from generate_series(1, 100) n`;

for (const level of ["repeatable read", "serializable"]) {
  const name = level.replace(" ", "-");

  test(`P6: a ${level} writer is refused with 40001 when its space was written in since, and loses nothing`, async () => {
    await a.run(insert(`${name}-0`, name));
    await a.run(`begin isolation level ${level}`, "select 1", insert(`${name}-a`, name));
    await b.run(insert(`${name}-b`, name));
    expect(await a.refusal("commit")).toBe("40001");
    expect(await recordOf(a, name)).toEqual([`intention ${name}-0 1..1`, `intention ${name}-b 2..2`]);
    await a.run(`begin isolation level ${level}`, insert(`${name}-a`, name), "commit");
    expect(await versionOf(a, name)).toBe(3);
    expect(await faults(a)).toEqual([]);
  });

  test(`P6: a ${level} writer is refused with 40001 when the space came into being since`, async () => {
    await a.run(`begin isolation level ${level}`, "select 1", insert(`${name}-new-a`, `${name}-new`));
    await b.run(insert(`${name}-new-b`, `${name}-new`));
    expect(await a.refusal("commit")).toBe("40001");
    expect(await recordOf(a, `${name}-new`)).toEqual([`intention ${name}-new-b 1..1`]);
  });

  test(`P6: a ${level} writer whose space nobody else wrote in is not refused`, async () => {
    await a.run(insert(`${name}-1`, `${name}-1`), insert(`${name}-2`, `${name}-2`));
    await a.run(`begin isolation level ${level}`, "select 1");
    await b.run(insert(`${name}-3`, `${name}-2`));
    await a.run(
      insert(`${name}-4`, `${name}-1`),
      `update intentions set name = 'n' where id = '${name}-1'`,
      "commit",
    );
    expect(await recordOf(a, `${name}-1`)).toEqual([`intention ${name}-1 1..2`, `intention ${name}-4 2..2`]);
    expect(await faults(a)).toEqual([]);
  });
}

test("P6: serializable writers in different spaces do not refuse one another, be they small or big", async () => {
  for (const write of [insert, insertMany]) {
    const id = `apart-${write.name}`;
    await a.run("begin isolation level serializable", write(`${id}-a`, `${id}-a`));
    await b.run("begin isolation level serializable", write(`${id}-b`, `${id}-b`));
    expect([await a.refusal("commit"), await b.refusal("commit")]).toEqual([undefined, undefined]);
  }
  expect(await faults(a)).toEqual([]);
});

test("P6: a serializable reader beside a writer sees a state that was there", async () => {
  await a.run(insert("reader-1", "reader"));
  await b.run("begin isolation level serializable read only");
  expect(await b.value("select version::int from sync.snapshot('reader')")).toBe(1);
  await a.run(insert("reader-2", "reader"));
  expect(await b.value("select json_array_length(intentions) from sync.snapshot('reader')")).toBe(1);
  expect(await b.refusal("commit")).toBeUndefined();
});
