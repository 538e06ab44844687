-- Chapter 1: the write path. What happens when anybody writes a row.
--   at once    place, stamp, name: fill in what the writer left out; touch: note the rows of the statement.
--   at commit  record: have all noted rows filed under one new version of each space (1_write_commit.sql).
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


create or replace function sync._touch()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- A note is a space and the IDs that were touched in it, at most about 10,000: an array has a limit.
  insert into sync.touched (space_id, entity_type, entity_ids)
  select t.location_id, tg_argv[0], array_agg(t.id)
  from (
    select r.location_id, r.id, row_number() over () / 10000 as chunk
    from touched_rows r
    where r.location_id is not null
  ) as t
  group by t.location_id, t.chunk;
  return null;
end
$$;
comment on function sync._touch() is 'Notes the rows that an INSERT or DELETE has touched.';


create or replace function sync._touch_update()
returns trigger
language plpgsql
security definer
set search_path = ''
set enable_mergejoin = off  -- of whole rows: to sort them would cost as much as the update
set work_mem = '64MB'
as $$
begin
  -- Where it was and where it is: who moves, or gets another ID, is on both sides without a partner. Compared
  -- byte by byte (*<>): what only compares as equal, such as 1.0 and 1.00 in jsonb, is a change to a reader,
  -- while an update that changes nothing raises nothing.
  insert into sync.touched (space_id, entity_type, entity_ids)
  select t.location_id, tg_argv[0], array_agg(t.id)
  from (
    select location_id, id, row_number() over () / 10000 as chunk
    from old_rows o
    full join new_rows n using (location_id, id)
    where location_id is not null
      and (o operator(pg_catalog.*<>) n) is not false
  ) as t
  group by t.location_id, t.chunk;
  return null;
end
$$;
comment on function sync._touch_update() is 'Notes the rows that an UPDATE has changed: where they were, and where they are.';


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
  -- its readers to the snapshot. What was deleted before keeps its tombstone. A note without IDs says so.
  with emptied as (
    delete from sync.changes c
    where c.entity_type = tg_argv[0]
      and c.deleted_at is null
    returning c.space_id
  )
  insert into sync.touched (space_id, entity_type, entity_ids)
  select distinct e.space_id, tg_argv[0], '{}'::pg_catalog.text[]
  from emptied e;
  return null;
end
$$;
comment on function sync._truncate() is 'Notes every space that had such rows, to be raised at commit with its floor.';
