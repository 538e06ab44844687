import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useRoles } from "../support/postgres/roles.js";
import { useSession } from "../support/postgres/session.js";
import { runFile } from "./statements.js";

// What sync.track() refuses, and the reason that it gives.

const [owner = ""] = useRoles("track_owner");
const db = useDatabase();
const s = useSession(db);

beforeAll(async () => {
  await runFile(s, "rhiz.sql");
  await s.run(
    "create table public.keyless (room text, title text)",
    "create table public.pairs (room text, n integer, primary key (room, n))",
    "create table public.dated (day date primary key, room text)",
    "create view public.seen as select * from public.rhiz_om_beings",
    "create materialized view public.kept as select * from public.rhiz_om_beings",
    "create temporary table passing (id text primary key, room text)",
    "create table public.parted (id integer primary key, room text) partition by hash (id)",
    "create table public.part_0 partition of public.parted for values with (modulus 1, remainder 0)",
    'create table public.plain (id integer primary key, room text, place point, other_id text, "otherId" text, title text, n integer, made date, at timestamptz)',
    "create table public.renamed (key text primary key, id text, room text)",
    "create table public.taken (id text primary key, room text)",
    "select sync.track('public.taken', name => 'taken', space => 'room', columns => array['id'])",
  );
});

test.each([
  [
    "no primary key",
    "'public.keyless', space => 'room', columns => array['title']",
    /it has no primary key of one column, and a change is told by a key/,
  ],
  [
    "a key of two columns (a known limit)",
    "'public.pairs', space => 'room', columns => array['n']",
    /it has no primary key of one column/,
  ],
  [
    "a key of a type that is no ID",
    "'public.dated', space => 'room', columns => array['day']",
    /its key is of type date; it may be text, varchar, uuid, smallint, integer or bigint/,
  ],
  ["a view", "'public.seen', space => 'locationId', columns => array['id']", /it is no table/],
  ["a materialized view", "'public.kept', space => 'locationId', columns => array['id']", /it is no table/],
  [
    "a temporary table",
    "'passing', space => 'room', columns => array['id']",
    /it is a temporary table, which only one session sees/,
  ],
  [
    "a partition",
    "'public.part_0', space => 'room', columns => array['id']",
    /it is a partition: track the table that it belongs to/,
  ],
  [
    "a table of Spacefeed's own",
    "'sync.spaces', space => 'space_id', columns => array['space_id']",
    /it is none of an application/,
  ],
  [
    "a column that is not there",
    "'public.plain', space => 'room', columns => array['id', 'titel']",
    /it has no column titel$/,
  ],
  [
    "a space that is not there",
    "'public.plain', space => 'Room', columns => array['id']",
    /it has no column "Room"$/,
  ],
  ["no space", "'public.plain', columns => array['id']", /nothing says which space a row is in/],
  [
    "a space of a type that is no ID",
    "'public.plain', space => 'place', columns => array['id']",
    /column place says a space, and is of type point/,
  ],
  [
    "columns without the key",
    "'public.plain', space => 'room', columns => array['title']",
    /columns lacks id, which is its key/,
  ],
  [
    "two ids",
    "'public.renamed', space => 'room', columns => array['key', 'id']",
    /its key is called id on the wire, and columns has another id/,
  ],
  [
    "two columns of one name on the wire",
    "'public.plain', space => 'room', columns => array['id', 'other_id', 'otherId']",
    /columns other_id and "otherId" would both be otherId on the wire/,
  ],
  [
    "a name that is none",
    "'public.plain', name => 'Task List', space => 'room', columns => array['id']",
    /"Task List" cannot be its name on the wire/,
  ],
  [
    "a name that Spacefeed uses itself",
    "'public.plain', name => 'emptied', space => 'room', columns => array['id']",
    /"emptied" cannot be its name on the wire/,
  ],
  [
    "a name that is taken",
    "'public.plain', name => 'taken', space => 'room', columns => array['id']",
    /taken is the name of public\.taken already: give another one/,
  ],
  [
    "a table that is tracked by another name",
    "'public.taken', name => 'again', space => 'room', columns => array['id']",
    /it is tracked already, as taken/,
  ],
  [
    "a label that is a number",
    "'public.plain', space => 'room', columns => array['id'], label => 'n', sorted_by => 'at'",
    /its label n is of type integer: it has to be text, varchar or uuid/,
  ],
  [
    "a label, and an order that is no time",
    "'public.plain', space => 'room', columns => array['id'], label => 'title', sorted_by => 'n'",
    /its sorted_by n is of type integer: it has to be a timestamp/,
  ],
  [
    "a label without an order",
    "'public.plain', space => 'room', columns => array['id'], label => 'title'",
    /a label pages a list, which needs sorted_by/,
  ],
])("%s", async (_, what, reason) => {
  const { error } = await s.outcome(`select sync.track(${what})`);
  expect(error?.message).toMatch(/^track: .* is not tracked: /);
  expect(error?.message).toMatch(reason);
  expect(error?.code).toBe("22023");
});

test("a table that is not there is Postgres' own refusal", async () => {
  expect(
    await s.refusal("select sync.track('public.nowhere', space => 'room', columns => array['id'])"),
  ).toBe("42P01");
});

test("P9: no list of columns: it shows those to choose from, and marks what looks like a secret", async () => {
  const { error } = await s.outcome("select sync.track('public.rhiz_om_beings', space => 'locationId')");
  expect(error?.message).toBe(
    "track: public.rhiz_om_beings is not tracked: nothing says which of its columns leave the database",
  );
  expect(error?.hint).toBe(
    `Choose from columns => array['id', 'name', 'type', 'createdAt', 'modifiedAt', 'ownerId', 'locationId', 'extIds', 'idHistory', 'metadata', 'properties', 'content', 'botModel']. These look like secrets: "botPrompt", "llmApiKey".`,
  );
});

test("a table whose rows the owner of Spacefeed may not read, or not all of them", async () => {
  await s.run(
    "create table public.foreign_rows (id text primary key, room text)",
    "create table public.hidden_rows (id text primary key, room text)",
    "alter table public.hidden_rows enable row level security",
    `grant select on public.hidden_rows to ${owner}`,
    `alter table sync.tracked owner to ${owner}`,
  );
  try {
    const refusal = async (table: string) =>
      (await s.outcome(`select sync.track('public.${table}', space => 'room', columns => array['id'])`)).error
        ?.message;
    expect(await refusal("foreign_rows")).toMatch(
      new RegExp(
        `${owner}, who owns Spacefeed, may not read it: grant select on public.foreign_rows to ${owner}$`,
      ),
    );
    expect(await refusal("hidden_rows")).toMatch(
      new RegExp(
        `its row-level security hides rows from ${owner}, who owns Spacefeed: alter role ${owner} bypassrls$`,
      ),
    );
  } finally {
    await s.run("alter table sync.tracked owner to current_user", `drop owned by ${owner}`);
  }
});

test("what was refused has changed nothing", async () => {
  expect(await s.query("select entity_type from sync.tracked order by 1")).toEqual([
    { entity_type: "being" },
    { entity_type: "intention" },
    { entity_type: "taken" },
  ]);
  const triggers = await s.query(
    `select tgrelid::regclass::text as table from pg_trigger t join pg_proc p on p.oid = t.tgfoid
     where p.pronamespace = 'sync'::regnamespace and tgrelid::regclass::text !~ '^(sync\\.|beings|intentions|taken)'`,
  );
  expect(triggers).toEqual([]);
});
