-- Chapter 5: the triggers. What ties the functions of chapter 1 to the tables.
-- Triggers of one event fire in the order of their names: touch must come before record. An update is compared
-- byte by byte (*<>): what only compares as equal, such as 1.0 and 1.00 in jsonb, is a change to a reader, while
-- an update that changes nothing raises nothing. Creating a trigger locks its table, so that one which is there
-- is left alone; a migration that changes one drops it first. A BEFORE trigger may not compare whole rows: they can
-- have generated columns, which are not computed yet.

do $$
declare
  statement pg_catalog.text;
begin
  foreach statement in array array[
    'create trigger spacefeed_place before insert on public.beings
       for each row when (new.type = ''space'' and new.location_id is null)
       execute function sync._place()',
    'create trigger spacefeed_stamp before update on public.beings
       for each row when (
         row(old.id, old.name, old.type, old.owner_id, old.location_id, old.metadata, old.properties, old.content)::record
         operator(pg_catalog.*<>)
         row(new.id, new.name, new.type, new.owner_id, new.location_id, new.metadata, new.properties, new.content)::record
       )
       execute function sync._stamp()',
    'create trigger spacefeed_1_touch after insert or delete on public.beings
       for each row
       execute function sync._touch(''being'')',
    'create trigger spacefeed_1_touch_update after update on public.beings
       for each row when (old operator(pg_catalog.*<>) new)
       execute function sync._touch(''being'')',
    'create constraint trigger spacefeed_2_record after insert or delete on public.beings
       deferrable initially deferred
       for each row
       execute function sync._record()',
    'create constraint trigger spacefeed_2_record_update after update on public.beings
       deferrable initially deferred
       for each row when (old operator(pg_catalog.*<>) new)
       execute function sync._record()',
    'create trigger spacefeed_truncate after truncate on public.beings
       for each statement
       execute function sync._truncate(''being'')',

    'create trigger spacefeed_name before insert on public.intentions
       for each row
       execute function sync._name_message()',
    'create trigger spacefeed_name_update before update on public.intentions
       for each row when (old.message_id is distinct from new.message_id)
       execute function sync._name_message()',
    'create trigger spacefeed_stamp before update on public.intentions
       for each row when (
         row(old.id, old.name, old.type, old.state, old.owner_id, old.location_id, old.content)::record
         operator(pg_catalog.*<>)
         row(new.id, new.name, new.type, new.state, new.owner_id, new.location_id, new.content)::record
       )
       execute function sync._stamp()',
    'create trigger spacefeed_1_touch after insert or delete on public.intentions
       for each row
       execute function sync._touch(''intention'')',
    'create trigger spacefeed_1_touch_update after update on public.intentions
       for each row when (old operator(pg_catalog.*<>) new)
       execute function sync._touch(''intention'')',
    'create constraint trigger spacefeed_2_record after insert or delete on public.intentions
       deferrable initially deferred
       for each row
       execute function sync._record()',
    'create constraint trigger spacefeed_2_record_update after update on public.intentions
       deferrable initially deferred
       for each row when (old operator(pg_catalog.*<>) new)
       execute function sync._record()',
    'create trigger spacefeed_truncate after truncate on public.intentions
       for each statement
       execute function sync._truncate(''intention'')',

    'create trigger spacefeed_1_touch after insert on sync.truncated
       for each row
       execute function sync._touch(''truncate'')',
    'create constraint trigger spacefeed_2_record after insert on sync.truncated
       deferrable initially deferred
       for each row
       execute function sync._record()'
  ]
  loop
    if not exists (
      select
      from pg_catalog.pg_trigger t
      where t.tgname = substring(statement from 'trigger (\w+)')
        and t.tgrelid = substring(statement from ' on (\w+\.\w+)')::regclass
    ) then
      execute statement;
    end if;
  end loop;
end
$$;
