import pg from "pg";
import { expect, test } from "vitest";
import { migrate, schemaSql } from "../../src/server/postgres/migrate.js";
import { useDatabase } from "../support/postgres/database.js";
import { useEmptyDatabases } from "../support/postgres/empty-database.js";

const db = useDatabase();
const emptyDatabase = useEmptyDatabases(db);

/** What is in the database besides what every database has. */
async function made(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select coalesce(c.oid::regclass::text, n.nspname) as name
     from pg_namespace n
     left join pg_class c on c.relnamespace = n.oid and c.relkind <> 'i'
     where n.nspname !~ '^(pg_|information_schema)' and not (n.nspname = 'public' and c.oid is null)
     order by 1`,
  );
  return rows.map(({ name }) => name);
}
const refusal = (url: string) =>
  migrate(url, "up").then(
    () => "it worked",
    (error: Error) => error.message,
  );

test.each([
  ["a table of that name", "create table public.beings (id text)", /relation "beings" already exists/],
  ["a view of that name", "create view public.beings as select 1 as id", /"beings" already exists/],
  [
    "another's list of migrations",
    "create schema sync; create table sync.migrations (version bigint)",
    /sync\.migrations is there already, and is not this Spacefeed's\. Rename that schema, or take another database/,
  ],
  [
    "another's list, made by the same tool",
    "create schema sync; create table sync.migrations (id serial primary key, name text, run_on timestamp); insert into sync.migrations (name, run_on) values ('1_users', now())",
    /sync\.migrations is there already, and is not this Spacefeed's/,
  ],
  [
    "another's sequence in schema sync",
    "create schema sync; create sequence sync.message_number",
    /already exists/,
  ],
  [
    "a function of another kind, found by the last steps",
    "create schema sync; create function sync.epoch() returns integer language sql as 'select 1'",
    /cannot change return type/,
  ],
])(
  "19: a migration that is refused for %s leaves nothing behind, and works when that is gone",
  async (_, before, reason) => {
    const { url, client } = await emptyDatabase();
    await client.query(before);
    const was = await made(client);
    const message = await refusal(url);
    expect(message).toMatch(reason);
    expect(message).toMatch(/Nothing was changed/);
    expect(message).not.toMatch(/\n/);
    expect(await made(client)).toEqual(was);
    await expect(client.query(await schemaSql())).rejects.toThrow();
    await client.query("rollback");
    expect(await made(client)).toEqual(was);
    await client.query(
      "drop schema if exists sync cascade; drop schema public cascade; create schema public",
    );
    expect(await refusal(url)).toBe("it worked");
  },
);

test.each([
  ["drop schema public cascade", /public\.beings and public\.intentions are not there any more/],
  ["drop table intentions cascade", /public\.intentions is not there any more/],
])('19: after "%s" `migrate up` says what to run, and that works', async (statement, reason) => {
  const { url, client } = await emptyDatabase();
  await migrate(url, "up");
  await client.query("insert into beings (id, type) values ('hall', 'space')");
  await client.query(statement);
  const was = await made(client);
  const message = await refusal(url);
  expect(message).toMatch(reason);
  expect(await made(client)).toEqual(was);
  const [, line] = /run "([^"]+)"/.exec(message) ?? [];
  await client.query(String(line));
  expect(await refusal(url)).toBe("it worked");
  await client.query("insert into beings (id, type) values ('hall', 'space')");
  const { rows } = await client.query("select version::int from sync.snapshot('hall')");
  expect(rows).toEqual([{ version: 1 }]);
});

test("20: a SQL_ASCII database is refused, and left as it was", async ({ onTestFinished }) => {
  const { client } = await emptyDatabase();
  const name = `${new URL(db.url).pathname.slice(1)}_ascii`;
  const { rows } = await client.query("select current_setting('server_version_num')::int >= 150000 as named");
  const provider = rows[0]?.named ? "locale_provider libc" : "";
  await client.query(
    `create database ${name} template template0 encoding 'SQL_ASCII' ${provider} lc_collate 'C' lc_ctype 'C'`,
  );
  onTestFinished(async () => {
    await client.query(`drop database ${name}`);
  });
  const url = new URL(db.url);
  url.pathname = `/${name}`;
  expect(await refusal(url.href)).toMatch(/the database is SQL_ASCII: .* encoding 'UTF8'/);
  const inside = new pg.Client({ connectionString: url.href });
  await inside.connect();
  expect(await made(inside)).toEqual([]);
  await inside.end();
});
