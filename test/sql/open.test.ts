import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";

const db = useDatabase();
const s = useSession(db);

beforeAll(async () => {
  await s.run(
    "insert into beings (id, type) values ('hall', 'space'), ('vault', 'space')",
    `create or replace function sync.authorize(claims jsonb, action text, space_id text, entity jsonb)
     returns boolean language sql stable set search_path = '' as $$
       select action = 'read' and entity is null and (space_id <> 'vault' or claims->>'sub' = 'owner')
     $$`,
  );
});

test("sync.open answers each newcomer by itself, in the order of the questions", async () => {
  const epoch = await s.value("select sync.epoch()");
  const questions = [
    [null, "hall", null],
    [null, "hall", "1"],
    [null, "hall", "0123456789abcdef.1"],
    [null, "hall", "2024-02-30"],
    [null, "hall", "'; select 1"],
    [null, "vault", "1"],
    ['{"sub": "owner"}', "vault", "1"],
    [null, "nowhere", "0"],
    [null, 'a "strange\\" {id},', null],
  ];
  const columns = [0, 1, 2].map((column) => questions.map((question) => question[column]));
  const rows = await s.query(
    "select cursor, since::int, refusal, reason from sync.open($1, $2, $3)",
    columns,
  );
  const there = { cursor: `${epoch}.1`, since: null, refusal: null, reason: null };
  const refused = { cursor: null, since: null };
  expect(rows).toMatchObject([
    there,
    { ...there, since: 1 },
    there,
    { ...there, refusal: "22023", reason: expect.stringContaining("2024-02-30") },
    { ...there, refusal: "22023", reason: expect.stringContaining("since:") },
    { ...refused, refusal: "SF403", reason: "not allowed: read" },
    { ...there, since: 1 },
    { cursor: null, since: 0, refusal: null },
    { cursor: null, since: null, refusal: null },
  ]);
  expect(rows).toHaveLength(questions.length);
});

test("sync.open of nobody is nobody", async () => {
  expect(await s.query("select * from sync.open('{}', '{}', '{}')")).toEqual([]);
});
