import { beforeEach, expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { faults, recordOf } from "../support/relay/feed.js";

const db = useDatabase();
let s: Session;

// A session of its own each: functions are compiled at their first call in a session.
beforeEach(async () => {
  s = await Session.open(db);
});

/** Does the work as a role with rights on the two tables of the application, and no others. */
function asWriter<T>(work: (role: string) => Promise<T>): Promise<T> {
  return s.undone(async () => {
    const role = `spacefeed_writer_${s.pid}`;
    await s.run(
      `create role ${role}`,
      `grant select, insert, update, delete, truncate on public.beings, public.intentions to ${role}`,
      `set local role ${role}`,
    );
    return work(role);
  });
}

test("P6: a writer needs rights on the two tables only", async () => {
  await asWriter(async () => {
    await s.run(
      "insert into beings (id, type) values ('den', 'space')",
      "insert into intentions (id, location_id) select 'm' || n, 'den' from generate_series(1, 50) n",
      "update beings set location_id = 'elsewhere' where id = 'den'",
      "delete from intentions where id <> 'm1'",
      "set constraints all immediate",
      "truncate beings",
      "reset role",
    );
    expect(await recordOf(s, "den")).toContain("intention m1 1..1");
    expect(await recordOf(s, "elsewhere")).toEqual([]);
    expect(await faults(s)).toEqual([]);
  });
});

test.each([
  "select sync.reset()",
  "select sync.prune('0')",
  "select * from sync.snapshot('den')",
  "select * from sync.changes_since('{den}', '{0}', 1)",
  "select * from sync.verify()",
  "select sync.epoch()",
  "select sync.authorize(null, 'read', 'den', null)",
  "table sync.changes",
  "table sync.notes",
  "table sync.status",
  "insert into sync.notes (space_id, entity_type, entity_ids) values ('den', 'being', '{den}')",
  "update sync.instance set epoch = ''",
  "select nextval('sync.message_number')",
  "create trigger mine after insert on mine for each row execute function sync._note('being')",
])("P9: a writer cannot %s", async (statement) => {
  await asWriter(async () => {
    await s.run("create temporary table mine (id text, location_id text)");
    expect(await s.refusal(statement)).toBe("42501");
  });
});

test("P6: functions, operators and tables of the writer's own come to nothing", async () => {
  const hostile = (name: string, args: string, returns: string) =>
    `create function hostile.${name}(${args}) returns ${returns} language plpgsql
     as 'begin raise exception ''hostile ${name} was called''; end'`;
  await s.undone(async () => {
    await s.run(
      "create schema hostile",
      "create table hostile.spaces (space_id text)",
      "create table hostile.beings (id text)",
      hostile("current_setting", "text, boolean", "text"),
      hostile("nextval", "text", "bigint"),
      hostile("clock_timestamp", "", "timestamptz"),
      hostile("pg_notify", "text, text", "void"),
      hostile("array_agg", "text", "text[]"),
      hostile("cardinality", "text[]", "integer"),
      hostile("joined", "text, text", "text"),
      hostile("equal", "text, text", "boolean"),
      hostile("compare_xid", "xid8, xid8", "boolean"),
      "create operator hostile.|| (leftarg = text, rightarg = text, function = hostile.joined)",
      "create operator hostile.= (leftarg = text, rightarg = text, function = hostile.equal)",
      "create operator hostile.<> (leftarg = text, rightarg = text, function = hostile.equal)",
      "create operator hostile.= (leftarg = xid8, rightarg = xid8, function = hostile.compare_xid)",
      "create operator hostile.>= (leftarg = xid8, rightarg = xid8, function = hostile.compare_xid)",
      "create operator hostile.<> (leftarg = xid8, rightarg = xid8, function = hostile.compare_xid)",
      "create temporary table beings (id text)",
      "create temporary table changes (id text)",
      "create temporary table notes (id text)",
      "create temporary table spaces (id text)",
      "create temporary table touched_rows (id text, location_id text)",
      "create temporary table old_rows (id text, location_id text)",
      "create temporary table new_rows (id text, location_id text)",
      "set local search_path = hostile, pg_catalog, public",
      "insert into public.beings (id, location_id) values ('victim', 'target')",
      "update public.beings set name = 'v'",
      "insert into public.intentions (id, location_id) values ('m', 'target')",
      "delete from public.intentions",
      "insert into public.intentions (id, location_id) values ('m', 'target')",
      "set constraints all immediate",
    );
    const [row] = await s.query("select events from sync.changes_since('{target}', '{0}', 10)");
    expect(row?.events).toHaveLength(2);
    await s.run("set local search_path = public");
    expect(await recordOf(s, "target")).toEqual(["being victim 1..1", "intention m 1..1"]);
  });
});

test("P6: no code of the writer's runs with the rights of the owner, by way of a temporary type", async () => {
  const refused = await asWriter(async (role) => {
    await s.run(
      `create function pg_temp.spy(pg_catalog.text) returns boolean language plpgsql as $$
       begin
         if current_user <> '${role}' then raise exception 'the writer runs code as %', current_user; end if;
         return true;
       end $$`,
      "create domain pg_temp.text as pg_catalog.text check (pg_temp.spy(value))",
    );
    const { error } = await s.outcome("insert into public.intentions (location_id) values ('x')");
    return error?.message;
  });
  expect(refused).toBeUndefined();
});
