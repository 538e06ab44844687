import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { type Row, Session, useSession } from "../support/postgres/session.js";

const db = useDatabase();
const s = useSession(db);

const BEING = [
  "id",
  "name",
  "type",
  "ownerId",
  "locationId",
  "metadata",
  "properties",
  "content",
  "createdAt",
  "modifiedAt",
];
const INTENTION = [
  "id",
  "messageId",
  "name",
  "type",
  "state",
  "ownerId",
  "locationId",
  "content",
  "createdAt",
  "modifiedAt",
];

/** All that the read functions tell of the space, as text. */
async function everything(): Promise<string> {
  const answers = await Promise.all(
    [
      "select * from sync.snapshot('vault')",
      "select * from sync._list('intention', 'vault', 10)",
      "select * from sync.changes_since('{vault}', '{0}', 10)",
      "select sync.being_json(b) from public.beings b",
      "select sync.intention_json(i) from public.intentions i",
      "select sync.current_cursor('vault')",
      "select * from sync.verify()",
    ].map((read) => Session.open(db).then(async (session) => session.query(read))),
  );
  return JSON.stringify(answers);
}

test("P9: a being and a message have exactly the keys that the wire functions name", async () => {
  await s.run(
    "insert into beings (id, type) values ('vault', 'space')",
    "insert into intentions (id, location_id) values ('m', 'vault')",
  );
  const [row] = await s.query("select beings, intentions from sync.snapshot('vault')");
  expect(Object.keys((row?.beings as Row[] | undefined)?.[0] ?? {})).toEqual(BEING);
  expect(Object.keys((row?.intentions as Row[] | undefined)?.[0] ?? {})).toEqual(INTENTION);
  expect(Object.keys((await s.value("select sync.being_json(b) from beings b")) as Row)).toEqual(BEING);
  expect(Object.keys((await s.value("select sync.intention_json(i) from intentions i")) as Row)).toEqual(
    INTENTION,
  );
});

test("P9: a new column is private, in sessions from before it and after it", async () => {
  const before = await s.query("select * from sync.snapshot('vault')");
  await s.run(
    "alter table beings add column secret text not null default 'TOP SECRET'",
    'alter table intentions add column secret jsonb not null default \'{"key": "TOP SECRET"}\'',
  );
  expect(await s.query("select * from sync.snapshot('vault')")).toEqual(before);
  await s.run(
    "update beings set secret = 'TOP SECRET 2'",
    "insert into intentions (id, location_id) values ('n', 'vault')",
    "delete from intentions where id = 'm'",
  );
  const told = await everything();
  expect(told).toContain("intention-created");
  expect(told).toContain("intention-deleted");
  expect(told).not.toMatch(/secret/i);
  expect(JSON.stringify(await s.query("select * from sync.changes_since('{vault}', '{0}', 10)"))).not.toMatch(
    /secret/i,
  );
});

test("P9: neither sync.changes, sync.notes nor the wake-up has anything of a row but its IDs", async () => {
  const heard: (string | undefined)[] = [];
  s.client.on("notification", ({ payload }) => heard.push(payload));
  await s.run("select sync.relay_seen()", "listen spacefeed", "begin");
  await s.run(
    `insert into intentions (id, location_id, name, content)
     select 'long-' || n, 'vault', 'TOP SECRET', '["TOP SECRET"]' from generate_series(1, 100) n`,
  );
  const touched = JSON.stringify(await s.query("table sync.notes"));
  await s.run("commit", "unlisten spacefeed");
  expect(touched).toContain("long-1");
  expect(touched).not.toMatch(/secret/i);
  expect(JSON.stringify(await s.query("table sync.changes"))).not.toMatch(/secret/i);
  expect(heard).toEqual(["5 vault"]);
});
