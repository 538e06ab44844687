-- Chapter 1: the write path. What happens when anybody writes a row.
--   at once    place, stamp, name: fill in what the writer left out; touch: note the row and its space.
--   at commit  record: lock the spaces of the noted rows in sorted order, raise each version by one, wake
--              the relays, and file the rows in sync.changes under the new versions.
-- An open transaction has therefore locked no space (P8), and one transaction is one version (P1, P5).
-- Every function runs as its owner: a writer needs rights on public.beings and public.intentions only.

create or replace function sync._place()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  new.location_id := new.id;
  return new;
end
$$;
comment on function sync._place() is 'A space that is created without a location is in itself, so that its name is in its own feed.';


create or replace function sync._stamp()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if new.modified_at = old.modified_at then
    new.modified_at := clock_timestamp();
  end if;
  return new;
end
$$;
comment on function sync._stamp() is 'Moves modified_at on an update that does not set it.';


create or replace function sync._name_message()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- A name that the writer brings along is not used: it could be one that the sequence will give out.
  if tg_op = 'INSERT' then
    new.message_id := 'msg_' || nextval('sync.message_number');
  else
    new.message_id := old.message_id;
  end if;
  return new;
end
$$;
comment on function sync._name_message() is 'Assigns message_id on insert, and keeps it ever after.';


create or replace function sync._lost()
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  raise exception 'spacefeed cannot commit: its list of the rows that this transaction touched is gone'
    using errcode = 'invalid_transaction_state',
          hint = 'Run the transaction again without RESET ALL or SET sync.touched between its statements.';
end
$$;
comment on function sync._lost() is 'Refuses a transaction of which not every change would be filed (P3).';


create or replace function sync._touch()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  -- The set is a text. First how many turns of record are still to come for rows that have been filed; after
  -- a space, how many chunks of the set are in sync.touched; then a line a row: where it was and where it is,
  -- each as space, type, ID with tabs behind them (no ID has a control character).
  touched pg_catalog.text := coalesce(nullif(current_setting('sync.touched', true), ''), '0');
  chunk integer;
begin
  if strpos(touched, E'\n') = 0 then
    touched := touched || E' 0\n';
  end if;
  if tg_op <> 'INSERT' and old.location_id is not null then
    touched := touched || old.location_id || E'\t' || tg_argv[0] || E'\t' || old.id || E'\t';
  end if;
  if tg_op <> 'DELETE' and new.location_id is not null then
    if tg_op = 'INSERT' or new.location_id is distinct from old.location_id or new.id <> old.id then
      touched := touched || new.location_id || E'\t' || tg_argv[0] || E'\t' || new.id || E'\t';
    end if;
  end if;
  touched := touched || E'\t\n';

  -- A local setting follows savepoints and rollbacks by itself (P4), but is copied whole at each turn: what
  -- is more than about a dozen rows goes to a table.
  if octet_length(touched) > 600 then
    chunk := split_part(split_part(touched, E'\n', 1), ' ', 2)::integer + 1;
    insert into sync.touched (xid, chunk, rows)
    values (pg_current_xact_id(), chunk, substr(touched, strpos(touched, E'\n') + 1))
    on conflict do nothing;
    if not found then
      perform sync._lost();
    end if;
    touched := split_part(touched, ' ', 1) || ' ' || chunk || E'\n';
  end if;
  touched := set_config('sync.touched', touched, true);
  return null;
end
$$;
comment on function sync._touch() is 'Notes the row in the transaction''s set of touched rows: where it was, and where it is.';


create or replace function sync._record()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  touched pg_catalog.text := current_setting('sync.touched', true);
  turns bigint;
begin
  -- The first row's turn files the whole set, in one statement: a row of a bulk load then costs what it
  -- costs to insert a row, and not to run a statement. The turns of the others are only counted: one too
  -- many, and its row was not in the set.
  if strpos(touched, E'\n') > 0 then
    turns := split_part(touched, ' ', 1)::bigint + sync._file(touched);
  else
    turns := nullif(touched, '');
  end if;
  if turns > 0 then
    touched := set_config('sync.touched', (turns - 1)::pg_catalog.text, true);
  else
    perform sync._lost();
  end if;
  return null;
end
$$;
comment on function sync._record() is 'At commit: has all rows filed that the transaction has touched.';


create or replace function sync._file(noted text)
returns bigint
language plpgsql
security definer
set search_path = ''
as $$
declare
  filed bigint;
begin
  with chunk as (
    delete from sync.touched t
    where t.xid = pg_current_xact_id()
    returning t.rows
  ), line as materialized (
    select l.line
    from (
      select c.rows
      from chunk c
      union all
      select substr(noted, strpos(noted, E'\n') + 1)
    ) as part, string_to_table(rtrim(part.rows, E'\n'), E'\n') as l (line)
    where part.rows <> ''
  ), touched as materialized (
    -- What comes out of a setting has collation C, with which no index on an ID would be used.
    select distinct
      split_part(l.line, E'\t', f.field) collate "default" as space_id,
      split_part(l.line, E'\t', f.field + 1) collate "default" as entity_type,
      split_part(l.line, E'\t', f.field + 2) collate "default" as entity_id
    from line l, (values (1), (4)) as f (field)
    where split_part(l.line, E'\t', f.field) <> ''
  ), looked_up as materialized (
    -- The set only says where to look, so that whoever forges it gains nothing: the tables say what is there.
    select
      t.*,
      case t.entity_type
        when 'intention' then
          (select i.message_id
           from public.intentions i
           where i.id = t.entity_id and i.location_id = t.space_id)
        when 'being' then
          (select ''
           from public.beings b
           where b.id = t.entity_id and b.location_id = t.space_id)
      end as is_there
    from touched t
  ), changed as materialized (
    select
      l.*,
      coalesce(
        l.is_there,
        (select coalesce(c.message_id, '')
         from sync.changes c
         where (c.space_id, c.entity_type, c.entity_id) = (l.space_id, l.entity_type, l.entity_id)
           and c.deleted_at is null),
        case when l.entity_type = 'truncate' then '' end
      ) as message_id
    from looked_up l
  ), raised as (
    -- Sorted, so that two commits never deadlock (P8); at most once a transaction (P1).
    insert into sync.spaces as s (space_id, version, floor, xid)
    select c.space_id, 1, bool_or(c.entity_type = 'truncate')::integer, pg_current_xact_id()
    from changed c
    where c.message_id is not null
    group by c.space_id
    order by c.space_id collate "C"
    on conflict (space_id) do update
    set version = s.version + (s.xid <> excluded.xid)::integer,
        floor = case when excluded.floor = 0 then s.floor else s.version + (s.xid <> excluded.xid)::integer end,
        xid = excluded.xid
    returning s.space_id, s.version, pg_notify('spacefeed', s.version || ' ' || s.space_id)
  ), filed as (
    insert into sync.changes as c
      (space_id, entity_type, entity_id, version, created_version, message_id, deleted_at)
    select
      n.space_id,
      n.entity_type,
      n.entity_id,
      r.version,
      r.version,
      nullif(n.message_id, ''),
      case when n.is_there is null then clock_timestamp() end
    from changed n
    join raised r on r.space_id = n.space_id
    where n.message_id is not null  -- null: came and went in this transaction
      and n.entity_type <> 'truncate'
    on conflict on constraint changes_pkey do update
    set version = excluded.version,
        created_version = case when c.deleted_at is null then c.created_version else excluded.version end,
        message_id = excluded.message_id,
        deleted_at = excluded.deleted_at
  )
  select count(*) into filed from line;
  return filed;
end
$$;
comment on function sync._file(text) is
  'Locks the spaces of the touched rows, raises each version by one, wakes the relays with "<version>
<space_id>", and files the rows in sync.changes under the new versions. Returns how many rows were touched.';


create or replace function sync._truncate()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if current_setting('transaction_isolation') not like 'read %' then
    raise exception 'TRUNCATE empties a table also of rows that a % transaction does not see',
      current_setting('transaction_isolation')
      using errcode = 'feature_not_supported',
            hint = 'Run it in a transaction that is read committed.';
  end if;

  -- No tombstones for what may be millions of rows: the floor of each space is raised at commit, which sends
  -- its readers to the snapshot. What was deleted before keeps its tombstone.
  with emptied as (
    delete from sync.changes c
    where c.entity_type = tg_argv[0]
      and c.deleted_at is null
    returning c.space_id
  )
  insert into sync.truncated (location_id, id)
  select distinct e.space_id, tg_argv[0]
  from emptied e;
  delete from sync.truncated;  -- its triggers have noted it
  return null;
end
$$;
comment on function sync._truncate() is 'Notes every space that had such rows, to be raised at commit with its floor.';


-- The triggers. Triggers of one event fire in the order of their names: touch must come before record.
-- An update is compared byte by byte (*<>): what only compares as equal, such as 1.0 and 1.00 in jsonb, is
-- a change to a reader, while an update that changes nothing raises nothing. Creating a trigger locks its
-- table, so that one which is there is left alone; a migration that changes one drops it first.
do $$
declare
  statement pg_catalog.text;
begin
  foreach statement in array array[
    'create trigger spacefeed_place before insert on public.beings
       for each row when (new.type = ''space'' and new.location_id is null)
       execute function sync._place()',
    'create trigger spacefeed_stamp before update on public.beings
       for each row when (old operator(pg_catalog.*<>) new)
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
       for each row when (old operator(pg_catalog.*<>) new)
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
