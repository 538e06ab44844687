import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useRoles } from "../support/postgres/roles.js";
import { Session, useSession } from "../support/postgres/session.js";
import { faults } from "../support/relay/feed.js";
import { eventually } from "../support/relay/follow.js";
import { useRelay } from "../support/relay/relay.js";
import { Follower } from "./follower.js";

// Tables as people have them: names that SQL uses itself, keys of other types, inheritance, policies.

const [appRole = ""] = useRoles("app");
const db = useDatabase();
const relay = useRelay(db);
const s = useSession(db);
const follow = (context: Parameters<typeof Follower.of>[0], space: string) =>
  Follower.of(context, relay.current.url, space);

/** Names that the functions of Spacefeed use for their own variables, columns and aliases. */
const NAMES = [
  "t",
  "k",
  "e",
  "s",
  "r",
  "n",
  "c",
  "id",
  "ID",
  "space_id",
  "entity_type",
  "entity_id",
  "entity_ids",
  "stamp",
  "label",
  "wire",
  "old_rows",
  "new_rows",
  "touched_rows",
  "select",
  "order",
  "user",
  "Mixed Case",
  'with "quotes"',
  "it's",
  "100%",
  "%s",
  "$1",
  "key",
  "version",
  "row_to_json",
  "pg_catalog",
  "größe",
  "a.b",
];

test('a table called order in a schema called "select", with columns called t, wire and everything else', async (context) => {
  const columns = NAMES.filter((name) => name !== "ID" && name !== "space_id");
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
  await s.run(
    'create schema "select"',
    `create table "select"."order" ("ID" text primary key, "space_id" text, ${columns.map((name) => `${quoted(name)} text`).join(", ")})`,
    `insert into "select"."order" ("ID", "space_id", "t") values ('old', 'Hostile', 'was there')`,
  );
  const listed = ["ID", ...NAMES.filter((name) => !["ID", "id"].includes(name))];
  await s.query(`select sync.track('"select"."order"', space => 'space_id', columns => $1)`, [listed]);
  await s.run("call sync.fill('order')");
  const follower = await follow(context, "Hostile");
  await s.run(
    `insert into "select"."order" ("ID", "space_id", ${columns.map(quoted).join(", ")})
     values ('new', 'Hostile', ${columns.map((name) => `'${name.replaceAll("'", "''")}'`).join(", ")})`,
    `update "select"."order" set "it's" = 'changed' where "ID" = 'old'`,
  );
  await eventually(() => expect(follower.list("order")).toHaveLength(2));
  const row = follower.list("order").find(({ id }) => id === "new") ?? {};
  expect(row).toMatchObject({
    id: "new",
    spaceId: "Hostile",
    entityType: "entity_type",
    t: "t",
    "it's": "it's",
    "100%": "100%",
    'with "quotes"': 'with "quotes"',
    select: "select",
    "Mixed Case": "Mixed Case",
    größe: "größe",
    "a.b": "a.b",
  });
  expect(Object.keys(row)).toHaveLength(listed.length);
  await follower.equal();
  await s.run(
    `update "select"."order" set "ID" = 'newer', "space_id" = 'Elsewhere' where "ID" = 'new'`,
    `delete from "select"."order" where "ID" = 'old'`,
  );
  await follower.equal();
  expect(follower.list("order")).toEqual([]);
  expect(await faults(s)).toEqual([]);
  expect(await s.value("select sync.untrack('order')")).toBe(
    '"select"."order" is as it was before it was tracked.',
  );
});

test.each([
  ["smallint", "7"],
  ["integer", "-8"],
  ["bigint", "9007199254740993"],
  ["varchar(40)", "with space"],
  ["uuid", "0b1c8a52-3d5c-4a5e-9d3e-0d9f4ad2a111"],
  ["integer generated always as identity", null],
])("a key of type %s", async (type, given) => {
  const name = `keyed${type.replace(/\W/g, "")}`.slice(0, 30);
  await s.run(
    `create table public.${name} (id ${type} primary key, room integer not null, big bigint, amount numeric)`,
    `insert into public.${name} (${given ? "id, " : ""}room, big, amount) values (${given ? `'${given}', ` : ""}42, 9007199254740993, 0.10)`,
    `select sync.track('public.${name}', space => 'room', columns => array['id', 'room', 'big', 'amount'])`,
    `call sync.fill('${name}')`,
  );
  const [row] = await s.query(`select id::text from public.${name}`);
  const list = async () =>
    ((await s.value("select entities -> $1 from sync.snapshot('42')", [name])) ?? []) as object[];
  expect(await list()).toEqual([{ id: row?.id, room: 42, big: "9007199254740993", amount: "0.10" }]);
  await s.run(`update public.${name} set amount = 0.20`);
  expect(await list()).toMatchObject([{ amount: "0.20" }]);
  expect(await faults(s)).toEqual([]);
  await s.run(`delete from public.${name}`, `select sync.untrack('${name}')`);
});

test("inheritance: rows of children are seen, also by the child's name, and with columns that the parent lacks", async (context) => {
  await s.run(
    "create table public.animals (id text primary key, zoo text not null, name text)",
    "create table public.birds (wings integer) inherits (public.animals)",
    "alter table public.birds add primary key (id)",
    "insert into public.birds (id, zoo, name, wings) values ('owl', 'zoo', 'Owl', 2)",
    "select sync.track('public.animals', name => 'animal', space => 'zoo', columns => array['id', 'zoo', 'name'])",
    "call sync.fill('animal')",
  );
  const follower = await follow(context, "zoo");
  const names = () => follower.list("animal").map(({ name }) => name);
  await eventually(() => expect(names()).toEqual(["Owl"]));
  await s.run(
    "update public.birds set name = 'Snowy owl' where id = 'owl'",
    "insert into public.birds (id, zoo, name, wings) values ('rook', 'zoo', 'Rook', 2)",
    "insert into public.animals (id, zoo, name) values ('cat', 'zoo', 'Cat')",
    "update public.animals set name = name || '!'",
  );
  await eventually(() => expect(names()).toEqual(["Cat!", "Snowy owl!", "Rook!"]));
  const version = follower.version;
  await s.run("update public.birds set wings = 1"); // not among the columns
  await s.run("delete from public.birds where id = 'rook'");
  await eventually(() => expect(names()).toEqual(["Cat!", "Snowy owl!"]));
  expect(follower.version).toBe(version + 1);
  await follower.equal();
  expect(await faults(s)).toEqual([]);
});

test("a table that has dropped, added and virtual columns", async (context) => {
  await s.run(
    "create table public.changed (gone text, id text primary key, room text, also_gone integer, title text)",
    "alter table public.changed drop column gone, drop column also_gone",
    "select sync.track('public.changed', space => 'room', columns => array['id', 'room', 'title'])",
    "insert into public.changed values ('a', 'den', 'first')",
  );
  const follower = await follow(context, "den");
  await s.run(
    "update public.changed set title = 'second'",
    "alter table public.changed add added text default 'x'",
    "update public.changed set title = 'third', added = 'y'",
  );
  await eventually(() =>
    expect(follower.list("changed")).toEqual([{ id: "a", room: "den", title: "third" }]),
  ); // private until it is named (P9)
  if (Number(await s.value("show server_version_num")) >= 180_000) {
    await s.run(
      "alter table public.changed add loud text generated always as (upper(added)) virtual",
      "select sync.track('public.changed', space => 'room', columns => array['id', 'room', 'loud'])",
    );
    await eventually(() => expect(follower.list("changed")).toEqual([{ id: "a", room: "den", loud: "Y" }]));
    await s.run("update public.changed set added = 'z'");
    await eventually(() => expect(follower.list("changed")).toEqual([{ id: "a", room: "den", loud: "Z" }]));
  }
  await follower.equal();
});

test("a table with row-level security of its own: whoever may write a row is seen, and the policies hide nothing from the relay", async (context) => {
  await s.run(
    "create table public.diaries (id text primary key, room text, author text, page text)",
    `grant select, insert, update, delete on public.diaries to ${appRole}`,
    "alter table public.diaries enable row level security",
    "create policy own on public.diaries using (author = current_user) with check (author = current_user)",
    "insert into public.diaries values ('old', 'house', 'somebody', 'before')",
    "select sync.track('public.diaries', name => 'diary', space => 'room', columns => array['id', 'room', 'page'])",
    "call sync.fill('diary')",
  );
  const follower = await follow(context, "house");
  const app = await Session.open(db);
  await app.run(
    `set role ${appRole}`,
    "insert into public.diaries values ('mine', 'house', current_user, 'one')",
    "update public.diaries set page = 'two'", // their own row only
  );
  await eventually(() =>
    expect(follower.list("diary")).toEqual([
      { id: "mine", room: "house", page: "two" },
      { id: "old", room: "house", page: "before" },
    ]),
  );
  expect(await app.value("select count(*)::int from public.diaries")).toBe(1);
  expect(await faults(s)).toEqual([]);
});

test("a key of two columns, once a generated column is the primary key", async (context) => {
  await s.run(
    "create table public.seats (hall integer, seat integer, guest text, primary key (hall, seat))",
    "insert into public.seats values (1, 2, 'before')",
    `alter table public.seats drop constraint seats_pkey, add unique (hall, seat),
       add id text generated always as (hall::text || '-' || seat::text) stored primary key`,
    "select sync.track('public.seats', name => 'seat', space => 'hall', columns => array['id', 'guest'])",
    "call sync.fill('seat')",
  );
  const follower = await follow(context, "1");
  await s.run("update public.seats set guest = 'ann'", "insert into public.seats values (1, 3, 'bob')");
  await eventually(() =>
    expect(follower.list("seat")).toEqual([
      { id: "1-2", guest: "ann" },
      { id: "1-3", guest: "bob" },
    ]),
  );
  await s.run("update public.seats set seat = 4 where seat = 3");
  await follower.equal();
  expect(follower.list("seat").map(({ id }) => id)).toEqual(["1-2", "1-4"]);
});
