import { expect, test } from "vitest";
import { migrate } from "../../src/server/postgres/migrate.js";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";
import { faults, versionOf } from "../support/relay/feed.js";

const db = useDatabase();
const s = useSession(db);

test("P11: tables that were made anew from a dump are another epoch, in the same database too", async () => {
  const before = await s.value("select sync.epoch()");
  await s.undone(async () => {
    await s.run(
      "alter table sync.spaces rename to spaces_before",
      "create table sync.spaces (like sync.spaces_before including all)",
    );
    expect(await s.value("select sync.epoch()")).not.toBe(before);
  });
});

test("P1: a restored xid that happens to be the writer's own hides no change", async () => {
  await s.run("insert into beings (id, type) values ('restored', 'space')");
  // Whoever else draws an xid here makes the try harmless: one of several is enough.
  for (let version = 2; version < 12; version++) {
    await s.run(
      "update sync.spaces set xid = (pg_current_xact_id()::text::bigint + 1)::text::xid8 where space_id = 'restored'",
      `insert into intentions (id, location_id) values ('m${version}', 'restored')`,
    );
    expect(await versionOf(s, "restored")).toBe(version);
  }
  expect(await faults(s)).toEqual([]);
});

test("P9: what a DBA has made of being_json and intention_json survives a migration", async () => {
  await s.run(
    `create or replace function sync.being_json(being public.beings) returns json
     language sql stable set search_path = '' as $$ select json_build_object('id', being.id, 'ours', true) $$`,
  );
  await migrate(db.url, "up");
  expect(await s.value("select sync.being_json(b) from beings b where id = 'restored'")).toEqual({
    id: "restored",
    ours: true,
  });
});

test("a generated column does not keep the triggers from being made again", async () => {
  await s.run(
    "alter table beings add column loud text generated always as (upper(name)) stored",
    "alter table intentions add column loud text generated always as (upper(name)) stored",
    "drop trigger zz_spacefeed_stamp on beings",
    "drop trigger zz_spacefeed_stamp on intentions",
  );
  await migrate(db.url, "up");
  const stamps = "select count(*)::int from pg_trigger where tgname = 'zz_spacefeed_stamp'";
  expect(await s.value(stamps)).toBe(2);
});
