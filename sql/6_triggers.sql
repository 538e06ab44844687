-- Chapter 6: the triggers. What ties the functions to the tables: before a row is written it is completed (chapter 1),
-- after a statement it is noted, and at commit recorded (chapter 2). The last one sits on sync.notes, so that whatever is
-- noted has its turn after it, also where set constraints all immediate makes the two of one statement. Creating a
-- trigger locks its table, so that one which is there is left alone; a migration that changes one drops it first.
-- A WHEN is for what is short: Postgres parses it anew for each statement.

-- The triggers that there have to be.
create or replace function sync._triggers()
returns table (name text, of_table text, statement text)
language sql
immutable
set search_path = ''
as $$
  select t.name, e.of_table, format('create trigger %I %s on %s %s execute function sync.%s(%L)',
    t.name, t.fires, e.of_table, t.how, t.calls, e.entity_type)
  from sync._entities() e
  join (
    values
      ('spacefeed_place', 'being', 'before insert', 'for each row when (new.type = ''space'' and new.location_id is null)', '_complete'),
      ('spacefeed_name', 'intention', 'before insert', 'for each row', '_complete'),
      ('zz_spacefeed_stamp', null, 'before update', 'for each row', '_complete'),
      ('spacefeed_note_insert', null, 'after insert', 'referencing new table as touched_rows', '_note'),
      ('spacefeed_note_update', null, 'after update', 'referencing old table as old_rows new table as new_rows', '_note'),
      ('spacefeed_note_delete', null, 'after delete', 'referencing old table as touched_rows', '_note'),
      ('spacefeed_note_truncate', null, 'after truncate', '', '_note')
  ) as t (name, of_type, fires, how, calls) on e.entity_type = coalesce(t.of_type, e.entity_type)
  union all
  values ('spacefeed_commit', 'sync.notes', 'create constraint trigger spacefeed_commit after insert on sync.notes '
    'deferrable initially deferred for each row execute function sync._commit()')
$$;

do $$
declare
  missing pg_catalog.text;
begin
  for missing in
    select w.statement
    from sync._triggers() w
    where not exists (
      select from pg_catalog.pg_trigger t where t.tgname = w.name and t.tgrelid = w.of_table::pg_catalog.regclass)
  loop
    execute missing;
  end loop;
end
$$;
