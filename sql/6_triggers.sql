-- Chapter 6: the triggers. What ties the functions to the tables: before a row is written it is completed (chapter 1),
-- after a statement it is noted, and at commit recorded (chapter 2). The last one sits on sync.notes, so that whatever is
-- noted has its turn after it, also where set constraints all immediate makes the two of one statement. Creating a
-- trigger locks its table, so that one which is there is left alone; a migration that changes one drops it first.
-- A WHEN is for what is short: Postgres parses it anew for each statement.

create or replace function sync._triggers()
returns table (
  name text,
  of_table text,
  statement text
)
language sql
immutable
set search_path = ''
as $$
  select
    t.name,
    t.of_table,
    format('create %s trigger %I %s on %s %s execute function sync.%s',
      case when t.of_table = 'sync.notes' then 'constraint' else '' end, t.name, t.fires, t.of_table, t.how, t.calls)
  from (
    values
      ('spacefeed_place', 'public.beings', 'before insert',
        'for each row when (new.type = ''space'' and new.location_id is null)', '_place()'),
      ('spacefeed_name', 'public.intentions', 'before insert', 'for each row', '_name_message()'),
      ('zz_spacefeed_stamp', 'public.beings', 'before update', 'for each row', '_stamp_being()'),
      ('zz_spacefeed_stamp', 'public.intentions', 'before update', 'for each row', '_stamp_intention()'),
      ('spacefeed_commit', 'sync.notes', 'after insert', 'deferrable initially deferred for each row', '_commit()')
    union all
    select n.name, e.of_table, n.fires, n.how, format(n.calls, e.entity_type)
    from (
      values ('public.beings', 'being'), ('public.intentions', 'intention')
    ) as e (of_table, entity_type)
    cross join (
      values
        ('spacefeed_note_insert', 'after insert', 'referencing new table as touched_rows', '_note(%L)'),
        ('spacefeed_note_update', 'after update', 'referencing old table as old_rows new table as new_rows', '_note_update(%L)'),
        ('spacefeed_note_delete', 'after delete', 'referencing old table as touched_rows', '_note(%L)'),
        ('spacefeed_note_truncate', 'after truncate', '', '_note_truncate(%L)')
    ) as n (name, fires, how, calls)
  ) as t (name, of_table, fires, how, calls)
$$;
comment on function sync._triggers() is 'The triggers that there have to be.';


do $$
declare
  missing record;
begin
  for missing in
    select t.statement
    from sync._triggers() t
    where not exists (
      select
      from pg_catalog.pg_trigger k
      where k.tgname = t.name
        and k.tgrelid = t.of_table::pg_catalog.regclass
    )
  loop
    execute missing.statement;
  end loop;
end
$$;
