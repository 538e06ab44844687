-- Chapter 5: the triggers. What ties the functions of chapter 1 to the tables.
-- Touch sits on the tables, one trigger for each kind of statement; record sits on sync.touched, so that whatever
-- touch notes is filed after it, also where set constraints all immediate makes the two of one statement. Creating
-- a trigger locks its table, so that one which is there is left alone; a migration that changes one drops it first.
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
  select substring(s from 'trigger (\w+)'), substring(s from ' on (\w+\.\w+)'), s
  from unnest(array[
    'create trigger spacefeed_place before insert on public.beings
       for each row when (new.type = ''space'' and new.location_id is null)
       execute function sync._place()',
    'create trigger spacefeed_stamp before update on public.beings
       for each row
       execute function sync._stamp_being()',
    'create trigger spacefeed_touch_insert after insert on public.beings
       referencing new table as touched_rows
       for each statement
       execute function sync._touch(''being'')',
    'create trigger spacefeed_touch_update after update on public.beings
       referencing old table as old_rows new table as new_rows
       for each statement
       execute function sync._touch_update(''being'')',
    'create trigger spacefeed_touch_delete after delete on public.beings
       referencing old table as touched_rows
       for each statement
       execute function sync._touch(''being'')',
    'create trigger spacefeed_truncate after truncate on public.beings
       for each statement
       execute function sync._truncate(''being'')',

    'create trigger spacefeed_name before insert on public.intentions
       for each row
       execute function sync._name_message()',
    'create trigger spacefeed_stamp before update on public.intentions
       for each row
       execute function sync._stamp_intention()',
    'create trigger spacefeed_touch_insert after insert on public.intentions
       referencing new table as touched_rows
       for each statement
       execute function sync._touch(''intention'')',
    'create trigger spacefeed_touch_update after update on public.intentions
       referencing old table as old_rows new table as new_rows
       for each statement
       execute function sync._touch_update(''intention'')',
    'create trigger spacefeed_touch_delete after delete on public.intentions
       referencing old table as touched_rows
       for each statement
       execute function sync._touch(''intention'')',
    'create trigger spacefeed_truncate after truncate on public.intentions
       for each statement
       execute function sync._truncate(''intention'')',

    'create constraint trigger spacefeed_record after insert on sync.touched
       deferrable initially deferred
       for each row
       execute function sync._record()'
  ]) as s
$$;
comment on function sync._triggers() is 'The triggers that there have to be: sync.warnings() tells of those that are not.';


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
