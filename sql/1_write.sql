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
  new.message_id := case tg_op
    when 'INSERT' then 'msg_' || nextval('sync.message_number')
    else old.message_id
  end;
  return new;
end
$$;
comment on function sync._name_message() is 'Assigns message_id on insert, and keeps it ever after.';


create or replace function sync._touch()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  chunk integer;
  -- The set: a line an entity, its fields between tabs (no ID has a control character). The first line counts
  -- the chunks of it that are in sync.touched.
  rows text := coalesce(nullif(current_setting('sync.touched', true), ''), E'0\n');
begin
  if tg_op <> 'INSERT' and old.location_id is not null then
    rows := rows || old.location_id || E'\t' || tg_argv[0] || E'\t' || old.id || E'\n';
  end if;
  if tg_op <> 'DELETE' and new.location_id is not null then
    if tg_op = 'INSERT' or new.location_id is distinct from old.location_id or new.id <> old.id then
      rows := rows || new.location_id || E'\t' || tg_argv[0] || E'\t' || new.id || E'\n';
    end if;
  end if;

  -- A local setting follows savepoints and rollbacks by itself (P4), but is copied whole at each turn: what
  -- is more than about a dozen rows goes to a table.
  if octet_length(rows) > 600 then
    chunk := split_part(rows, E'\n', 1)::integer + 1;
    insert into sync.touched (xid, chunk, rows) values (pg_current_xact_id(), chunk, rows);
    rows := chunk || E'\n';
  end if;
  perform set_config('sync.touched', rows, true);
  return null;
end
$$;
comment on function sync._touch() is 'Adds the entity to the transaction''s set of touched ones, in the space that it is in and in the one that it left.';


create or replace function sync._record()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  noted constant text := coalesce(current_setting('sync.touched', true), '');
  chunks constant text := split_part(noted, E'\n', 1);
  entity_id text;
  is_noted boolean;
begin
  -- The first row's turn files the whole set, in one statement: a row of a bulk load then costs what it
  -- costs to insert a row, and not to run a statement. The turns of the others find the set empty.
  if noted = E'0\n' then
    return null;
  end if;

  if tg_op <> 'DELETE' and new.location_id is not null then
    entity_id := new.id;
  elsif tg_op <> 'INSERT' and old.location_id is not null then
    entity_id := old.id;
  else
    return null;  -- in no space
  end if;

  -- The first turn is that of the row touched first: if that one is missing, the set was lost on the way.
  if chunks = '0' then
    is_noted := strpos(noted, E'\t' || entity_id || E'\n') > 0;
  else
    select count(*)::text = chunks and bool_or(strpos(t.rows, E'\t' || entity_id || E'\n') > 0)
    into is_noted
    from sync.touched t
    where t.xid = pg_current_xact_id();
  end if;
  if is_noted is not true then
    raise exception 'spacefeed cannot commit: its list of the rows that this transaction touched is gone'
      using errcode = 'invalid_transaction_state',
            hint = 'Run the transaction again without RESET ALL or SET sync.touched between its statements.';
  end if;

  perform set_config('sync.touched', E'0\n', true);
  with moved as (
    delete from sync.touched t
    where t.xid = pg_current_xact_id()
    returning t.rows
  ), touched as materialized (
    select distinct
      -- What comes out of a setting has collation C, with which no index on an ID would be used.
      split_part(line, E'\t', 1) collate "default" as space_id,
      split_part(line, E'\t', 2) collate "default" as entity_type,
      split_part(line, E'\t', 3) collate "default" as entity_id
    from string_to_table(coalesce((select string_agg(m.rows, '') from moved m), '') || noted, E'\n') as line
    where strpos(line, E'\t') > 0
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
      l.space_id,
      l.entity_type,
      l.entity_id,
      l.is_there is null as deleted,
      coalesce(
        l.is_there,
        (select coalesce(c.message_id, '')
         from sync.changes c
         where (c.space_id, c.entity_type, c.entity_id) = (l.space_id, l.entity_type, l.entity_id)
           and c.deleted_at is null)
      ) as message_id
    from looked_up l
  ), raised as (
    -- Sorted, so that two commits never deadlock (P8); at most once a transaction (P1).
    insert into sync.spaces as s (space_id, version, xid)
    select c.space_id, 1, pg_current_xact_id()
    from changed c
    where c.message_id is not null
    group by c.space_id
    order by c.space_id collate "C"
    on conflict (space_id) do update
    set version = s.version + (s.xid <> excluded.xid)::integer,
        xid = excluded.xid
    returning s.space_id, s.version, pg_notify('spacefeed', s.version || ' ' || s.space_id)
  )
  insert into sync.changes as c
    (space_id, entity_type, entity_id, version, created_version, message_id, deleted_at)
  select
    n.space_id,
    n.entity_type,
    n.entity_id,
    r.version,
    r.version,
    nullif(n.message_id, ''),
    case when n.deleted then clock_timestamp() end
  from changed n
  join raised r on r.space_id = n.space_id
  where n.message_id is not null  -- null: came and went in this transaction
  on conflict on constraint changes_pkey do update
  set version = excluded.version,
      created_version = case when c.deleted_at is null then c.created_version else excluded.version end,
      message_id = excluded.message_id,
      deleted_at = excluded.deleted_at;
  return null;
end
$$;
comment on function sync._record() is
  'At commit: locks the spaces of the touched rows, raises each version by one, wakes the relays with
"<version> <space_id>", and files the rows in sync.changes under the new versions.';


create or replace function sync._truncate()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  raised record;
begin
  for raised in
    insert into sync.spaces as s (space_id, version, floor, xid)
    select c.space_id, 1, 1, pg_current_xact_id()
    from sync.changes c
    where c.entity_type = tg_argv[0]
      and not c.deleted
    group by c.space_id
    order by c.space_id collate "C"
    on conflict (space_id) do update
    set version = s.version + (s.xid <> excluded.xid)::integer,
        floor = s.version + (s.xid <> excluded.xid)::integer,
        xid = excluded.xid
    returning s.space_id, s.version
  loop
    perform pg_notify('spacefeed', raised.version || ' ' || raised.space_id);
  end loop;
  -- No tombstones for what may be millions of rows: the raised floor sends their readers to the snapshot.
  delete from sync.changes c where c.entity_type = tg_argv[0];
  return null;
end
$$;
comment on function sync._truncate() is 'Raises the version and the floor of every space that had such rows: its clients get a snapshot.';


-- The triggers. Triggers of one event fire in the order of their names: touch must come before record.
-- An update is compared byte by byte (*<>): what only compares as equal, such as 1.0 and 1.00 in jsonb, is
-- a change to a reader, while an update that changes nothing raises nothing. Creating a trigger locks its
-- table, so that one which is there is left alone; a migration that changes one drops it first.
do $$
declare
  statement text;
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
       execute function sync._truncate(''intention'')'
  ]
  loop
    if not exists (
      select
      from pg_catalog.pg_trigger t
      where t.tgname = substring(statement from 'trigger (\w+)')
        and t.tgrelid = substring(statement from 'on (public\.\w+)')::regclass
    ) then
      execute statement;
    end if;
  end loop;
end
$$;
