import { readFile } from "node:fs/promises";
import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";

// Where pg_temp is not named in a search_path, types are looked for in it first, also where the path is empty.

const db = useDatabase();
const s = useSession(db);

beforeAll(async () => {
  await s.run(
    "insert into public.beings (id, type) values ('den', 'space')",
    "insert into public.intentions (id, location_id) values ('m', 'den'), ('n', 'den')",
  );
});

/** Every call of a function that the relays' role may make, in each of its ways, and its writes. */
const CALLS = [
  "select * from sync.read(null, 'being', 'den', null)",
  "select * from sync.read(null, 'intention', 'm', 'den')",
  "select * from sync.read(null, 'being', null, 'den', 1)",
  "select * from sync.read(null, 'intention', null, 'den', 1)",
  "select * from sync.read(null, 'intention', null, 'den', 1, (select data ->> 'messageId' from sync.read(null, 'intention', 'm', null)))",
  "select * from sync.state('den', 10)",
  "select * from sync.changes_since('{den}', '{0}', 10)",
  "select sync.epoch()",
  "select * from sync.notify_queue()",
  `select * from sync.open('{null,null,null,null,null}', '{den,den,den,den,den}',
     array['1', (select cursor from sync.state('den', 1)), '2024-02-29T12:00:00Z', 'msg_1', '2044-02-29'])`,
  "select sync.relay_seen(), sync.relay_seen(true), sync.relay_seen(false)",
  "select sync.lead(true), sync.lead(false)",
  `select * from sync.write(null, 'create', 'being', 'nook', null, '{"type":"space","metadata":{"a":1}}')`,
  `select * from sync.write('{"being":"ada"}', 'create', 'intention', 'o', null, '{"locationId":"den"}', '{yard}')`,
  `select * from sync.write('{"being":"ada"}', 'create', 'intention', 'o', null, '{"locationId":"den"}', '{yard}')`,
  `select * from sync.write(null, 'update', 'intention', 'o', 'den', '{"locationId":"nook","content":["7"]}')`,
  `select * from sync.write(null, 'update', 'being', 'den', null, '{"name":"x"}')`,
  "select * from sync.write(null, 'delete', 'intention', 'n', null, '{}')",
  "select * from sync.reach('{den}')",
  "select * from sync.record(pg_current_snapshot(), '{nook}', 5)",
  "select * from sync.record()",
  "set constraints all immediate",
  `select * from sync.write(null, 'update', 'being', 'den', null, '{"name":"y"}')`,
];

test("P9: no temporary type of a relay's login has its check run as the owner", async () => {
  const ran = new Set<string>();
  const asWhom = ({ message }: { message?: string | undefined }) => {
    if (message?.startsWith("ran as ")) ran.add(message);
  };
  s.client.on("notice", asWhom);
  await s.undone(async () => {
    // A policy with a cast, and with the search_path of those that are shown to a DBA.
    const policy = await readFile(new URL("../../sql/policies/owners.sql", import.meta.url), "utf8");
    const casting = policy.replace(/\$\$.*\$\$/s, () => "$$ select (authorize.action || '')::text <> '' $$");
    expect(casting).toContain("pg_temp as $$ select (");
    await s.query(casting);
    await s.run(
      "set local role spacefeed_relay",
      "set local client_min_messages = notice",
      `create function pg_temp.spy() returns boolean language plpgsql as $$
       begin raise notice 'ran as %', current_user; return true; end $$`,
      `do $$
       declare name text;
       begin
         for name in
           select t.typname from pg_catalog.pg_type t
           where t.typnamespace = 'pg_catalog'::regnamespace and t.typtype in ('b', 'r') and t.typname !~ '^_'
         loop
           execute format('create domain pg_temp.%I as pg_catalog.%I check (pg_temp.spy())', name, name);
         end loop;
       end $$`,
    );
    // The domain takes the type's place for its maker, so the attack is one.
    await s.query("select 1::oid");
    expect([...ran]).toEqual(["ran as spacefeed_relay"]);
    for (const call of CALLS) await s.query(call);
  });
  s.client.off("notice", asWhom);
  expect([...ran]).toEqual(["ran as spacefeed_relay"]);
});
