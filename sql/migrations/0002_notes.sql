-- Up Migration

-- A transaction notes what it touches once a statement, and no longer once a row. Waits for open writers. From here
-- until the chapters are replayed, which is next, writers are refused: nobody writes a row that is not filed.

lock table public.beings, public.intentions in access exclusive mode;

do $$
declare
  old record;
begin
  for old in
    select t.tgname, t.tgrelid::regclass as of_table
    from pg_catalog.pg_trigger t
    where t.tgname ~ '^spacefeed_([12]_|stamp$|name_update$)'
  loop
    execute format('drop trigger %I on %s', old.tgname, old.of_table);
  end loop;
  for old in
    select p.oid::regprocedure as routine
    from pg_catalog.pg_proc p
    where p.pronamespace = 'sync'::regnamespace
      and p.proname in ('_stamp', '_touch', '_record', '_file', '_lost')
  loop
    execute 'drop function ' || old.routine;
  end loop;
end
$$;
drop table sync.touched, sync.truncated;

create unlogged table sync.touched (
  xid          xid8 not null default pg_current_xact_id(),
  note         bigint not null generated always as identity,
  space_id     text not null,
  entity_type  text not null,
  entity_ids   text[] not null,
  constraint touched_pkey primary key (xid, note)
);
comment on table sync.touched is 'What open transactions have touched: a note for each statement and space. Empty after each commit.';
comment on sequence sync.touched_note_seq is 'Numbers the notes in the order in which they are filed.';
comment on column sync.touched.entity_ids is 'Empty where TRUNCATE has emptied the table.';

do $$
declare
  name text;
begin
  foreach name in array array['_touch', '_touch_update', '_truncate'] loop
    execute format($function$
      create or replace function sync.%s()
      returns trigger
      language plpgsql
      security definer
      set search_path = ''
      as $body$
      begin
        raise exception 'spacefeed is being upgraded'
          using errcode = 'serialization_failure',
                hint = 'Run the transaction again; if this stays, run "spacefeed migrate up".';
      end
      $body$
    $function$, name);
  end loop;
end
$$;
create trigger spacefeed_touch_insert after insert on public.beings
  referencing new table as touched_rows
  for each statement
  execute function sync._touch('being');
create trigger spacefeed_touch_update after update on public.beings
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function sync._touch_update('being');
create trigger spacefeed_touch_delete after delete on public.beings
  referencing old table as touched_rows
  for each statement
  execute function sync._touch('being');
create trigger spacefeed_touch_insert after insert on public.intentions
  referencing new table as touched_rows
  for each statement
  execute function sync._touch('intention');
create trigger spacefeed_touch_update after update on public.intentions
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function sync._touch_update('intention');
create trigger spacefeed_touch_delete after delete on public.intentions
  referencing old table as touched_rows
  for each statement
  execute function sync._touch('intention');

-- Only the functions of chapter 1 write these tables, and sync.verify() holds what the checks held. Postgres parses a
-- check, and a generated column, anew for each statement: more than a third of what a row of sync.changes costs.
alter table sync.changes
  drop constraint changes_entity_type_valid,
  drop constraint changes_created_before_changed,
  drop constraint changes_message_id_of_intentions,
  drop column deleted;
alter table sync.spaces
  drop constraint spaces_floor_valid;


-- Down Migration

-- For the version before, whose chapters replace sync._touch() and make the other triggers: until then, writers are
-- refused. Writes sync.changes anew, whole, for its generated column.
lock table public.beings, public.intentions in access exclusive mode;
drop trigger spacefeed_touch_insert on public.beings;
drop trigger spacefeed_touch_update on public.beings;
drop trigger spacefeed_touch_delete on public.beings;
drop trigger spacefeed_touch_insert on public.intentions;
drop trigger spacefeed_touch_update on public.intentions;
drop trigger spacefeed_touch_delete on public.intentions;
drop trigger if exists spacefeed_stamp on public.beings;
drop trigger if exists spacefeed_stamp on public.intentions;
drop table sync.touched cascade;
drop function if exists sync._record(), sync._touch_update(), sync._stamp_being(), sync._stamp_intention();

create unlogged table sync.touched (
  xid    xid8 not null,
  chunk  integer not null,
  rows   text not null,
  constraint touched_pkey primary key (xid, chunk)
);
alter table sync.touched alter column rows set storage plain;
comment on table sync.touched is 'Rows that open transactions have touched, where a setting does not hold them all. Empty after each commit.';
create unlogged table sync.truncated (
  location_id  text not null,
  id           text not null
);
comment on table sync.truncated is 'A row for each space that TRUNCATE empties, until its transaction commits. Empty after each commit.';

do $$
declare
  name text;
begin
  foreach name in array array['_touch', '_truncate'] loop
    execute format($function$
      create or replace function sync.%s()
      returns trigger
      language plpgsql
      security definer
      set search_path = ''
      as $body$
      begin
        raise exception 'spacefeed is being changed to the version before' using errcode = 'serialization_failure';
      end
      $body$
    $function$, name);
  end loop;
end
$$;
create trigger spacefeed_1_touch after insert or delete on public.beings
  for each row
  execute function sync._touch('being');
create trigger spacefeed_1_touch_update after update on public.beings
  for each row when (old operator(pg_catalog.*<>) new)
  execute function sync._touch('being');
create trigger spacefeed_1_touch after insert or delete on public.intentions
  for each row
  execute function sync._touch('intention');
create trigger spacefeed_1_touch_update after update on public.intentions
  for each row when (old operator(pg_catalog.*<>) new)
  execute function sync._touch('intention');

alter table sync.changes
  add column deleted boolean not null generated always as (deleted_at is not null) stored,
  add constraint changes_entity_type_valid check (entity_type in ('being', 'intention')),
  add constraint changes_created_before_changed check (created_version between 1 and version),
  add constraint changes_message_id_of_intentions check ((message_id is not null) = (entity_type = 'intention'));
alter table sync.spaces
  add constraint spaces_floor_valid check (floor between 0 and version);
