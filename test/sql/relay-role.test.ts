import { readFile } from "node:fs/promises";
import { beforeEach, expect, test } from "vitest";
import { migrate } from "../../src/server/postgres/migrate.js";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";

const db = useDatabase();
let s: Session;

// A session of its own each: functions are compiled at their first call in a session.
beforeEach(async () => {
  s = await Session.open(db);
});

/** Does the work as the relays' role, in a database whose tables have a column that is nobody's business. */
function asRelay<T>(work: () => Promise<T>): Promise<T> {
  return s.undone(async () => {
    await s.run(
      "revoke create on schema public from public", // as Postgres itself does from 15 on
      "alter table public.beings add column secret text default 'TOP SECRET'",
      "alter table public.intentions add column secret text default 'TOP SECRET'",
      "insert into public.beings (id, type) values ('den', 'space')",
      "insert into public.intentions (id, location_id) values ('m', 'den')",
      "set local role spacefeed_relay",
    );
    return work();
  });
}

test.each([
  "select secret from public.beings",
  "select secret from public.intentions",
  "select * from public.beings",
  "select b from public.beings b",
  "select i::text from public.intentions i",
  "select sync.being_json(b) from public.beings b",
  "select created_at from public.beings",
  "select message_id from public.intentions",
  "insert into public.beings (id) values ('x')",
  "update public.beings set name = 'x'",
  "delete from public.intentions",
  "insert into public.beings (secret) values ('x')",
  "insert into public.intentions (location_id, message_id) values ('den', 'msg_1')",
  "insert into public.intentions (location_id, created_at) values ('den', now())",
  "insert into public.beings (id) values ('b') returning secret",
  "insert into public.beings (id) values ('den') on conflict (id) do update set secret = 'x'",
  "update public.beings set secret = 'x'",
  "update public.beings set id = 'other' where id = 'den'",
  "update public.beings set name = secret",
  "update public.intentions set created_at = now()",
  "update public.beings set name = 'x' where secret like 'T%'",
  "delete from public.intentions returning secret",
  "truncate public.intentions",
  "alter table public.beings add column mine text",
  "create table public.mine (id text)",
  "create table sync.mine (id text)",
  "copy public.beings to stdout",
  "table sync.changes",
  "table sync.spaces",
  "table sync.notes",
  "table sync.instance",
  "table sync.status",
  "insert into sync.migrations (name, run_on) values ('9', now())",
  "delete from sync.notes",
  "select setval('sync.recording_until', 0)",
  "select last_value from sync.listening_until",
  "select nextval('sync.message_number')",
  "select sync.authorize(null, 'read', 'den', null)",
  "select sync.reset()",
  "select sync.rebuild('den')",
  "select sync.erase('intention', 'm')",
  "select * from sync.verify()",
  "select sync._file('{den}', '0')",
  "select sync._wire('being', 'den')",
  "select sync._find('being', '{den}', '{den}')",
  "create or replace function sync.authorize(claims jsonb, action text, space_id text, entity jsonb) returns boolean language sql as 'select true'",
  "drop function sync._demand(jsonb, text, text[], jsonb)",
  "grant spacefeed_relay to current_user",
  "set session_replication_role = replica",
])("P9: the relays' role cannot %s", async (statement) => {
  await asRelay(async () => {
    expect(await s.refusal(statement)).toMatch(/^(42501|0LP01)$/);
  });
});

test.each([
  "select * from sync.state('den', 10)",
  "select * from sync.read(null, 'intention', null, 'den', 10)",
  "select * from sync.read(null, 'being', null, 'den')",
  "select * from sync.changes_since('{den}', '{0}', 10)",
  "select * from sync.read(null, 'being', 'den', null)",
  "select * from sync.read(null, 'intention', 'm', null)",
  "select * from sync.open('{null}', '{den}', '{null}')",
  "select * from sync.record()",
  "select * from sync.reach('{den}')",
  `select * from sync.write(null, 'create', 'intention', 'n', null, '{"locationId":"den"}')`,
  `select * from sync.write(null, 'update', 'being', 'den', null, '{"name":"x"}')`,
  "select * from sync.write(null, 'delete', 'being', 'den', null, '{}')",
])("P9: of what it may do nothing shows a private column: %s", async (statement) => {
  await asRelay(async () => {
    const rows = await s.query(statement);
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toMatch(/secret/i);
  });
});

test.each(
  ["secret", "messageId", "createdAt", "modifiedAt", "owner_id", "location_id", "noColumn"]
    .flatMap((field) => [
      [field, "'create', 'intention', 'n'"],
      [field, "'update', 'intention', 'm'"],
    ])
    .concat([["id", "'update', 'intention', 'm'"]]),
)(
  "P9: a relay cannot write what is no field of the wire, or the database's to make: %s, %s",
  async (field, what) => {
    await asRelay(async () => {
      const fields = JSON.stringify({ locationId: "den", [String(field)]: "2001-01-01" });
      expect(await s.refusal(`select sync.write(null, ${what}, null, '${fields}')`)).toBe("22023");
    });
  },
);

test("P9: who only may connect hears on the channel that a space has changed, and nothing of a row", async () => {
  const role = `spacefeed_nobody_${s.pid}`;
  const listener = await Session.open(db);
  const heard: (string | undefined)[] = [];
  listener.client.on("notification", ({ payload }) => heard.push(payload));
  await s.run(`create role ${role}`);
  try {
    await listener.run(`set role ${role}`, "listen spacefeed");
    await s.query("select sync.relay_seen()");
    await s.run(
      "insert into public.intentions (location_id, name, content) values ('nook', 'TOP SECRET', '[\"TOP SECRET\"]')",
      "update public.intentions set name = 'TOP SECRET 2' where location_id = 'nook'",
      "delete from public.intentions where location_id = 'nook'",
    );
    await listener.query("select 1"); // what was notified before has come
    for (const statement of [
      "table public.intentions",
      "select sync.snapshot('nook')",
      "table sync.changes",
    ]) {
      expect(await listener.refusal(statement)).toBe("42501");
    }
  } finally {
    await listener.run("reset role", "unlisten *");
    await s.run(`drop role ${role}`);
  }
  expect(heard).toEqual(["1 nook", "2 nook", "3 nook"]);
});

test("P9: a relay may call every function that the code of the relay calls, and no other one", async () => {
  const file = new URL("../../src/server/postgres/functions.ts", import.meta.url);
  const source = (await readFile(file, "utf8")).replace(/\/\*[\s\S]*?\*\//g, "");
  const calls = source.matchAll(/\bsync\.(\w+)\(|#rows?(?:<[^(]*>)?\(\s*"(\w+)"/g);
  const called = new Set([...calls].map(([, inText, inCall]) => inText ?? inCall));
  expect(called.size).toBeGreaterThan(10);
  const rows = await s.query(
    `select distinct p.proname as name
     from pg_catalog.pg_proc p
     where p.pronamespace = 'sync'::regnamespace and has_function_privilege('spacefeed_relay', p.oid, 'execute')`,
  );
  expect(rows.map(({ name }) => name).sort()).toEqual([...called].sort());
});

test("without the right to make roles the migration says so, and makes the rest", async () => {
  const role = `spacefeed_owner_${s.pid}`;
  const notices: string[] = [];
  s.client.on("notice", ({ message, hint }) => notices.push(`${message} ${hint}`));
  const chapter = (name: string) => readFile(new URL(`../../sql/${name}.sql`, import.meta.url), "utf8");
  await s.undone(async () => {
    await s.run(
      "alter role spacefeed_relay rename to spacefeed_not_there",
      `create role ${role}`,
      `grant usage, create on schema sync to ${role}`,
    );
    for (const name of [
      "_demand(jsonb, text, text[], jsonb)",
      "open(jsonb[], text[], text[])",
      "_demand_owner(jsonb, text, text)",
    ]) {
      await s.run(`alter function sync.${name} owner to ${role}`);
    }
    await s.run(`set local role ${role}`);
    await s.query(await chapter("4_access"));
    await s.run("reset role");
    await s.query(await chapter("7_rights"));
  });
  expect(notices).toEqual([expect.stringMatching(/role for relays.*create role spacefeed_relay/s)]);
});

test("a migration that runs again leaves the rights as they are", async () => {
  const rights = `select relacl::text, proacl::text from pg_catalog.pg_class full join pg_catalog.pg_proc on false
    where relnamespace in ('sync'::regnamespace, 'public'::regnamespace) or pronamespace = 'sync'::regnamespace
    order by 1, 2`;
  const before = await s.query(rights);
  await migrate(db.url, "up");
  expect(await s.query(rights)).toEqual(before);
});
