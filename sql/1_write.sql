-- Chapter 1: the write path. What happens when anybody writes a row.
--   at once    place, stamp, name: fill in what the writer left out; touch: note the rows of the statement.
--   at commit  record: have all noted rows filed under one new version of each space (1_write_commit.sql).
-- An open transaction has therefore locked no space (P8), and one transaction is one version (P1, P5).
-- Every function runs as its owner: a writer needs rights on public.beings and public.intentions only.
-- The tables may have columns of any name. So whatever is asked of them is qualified: a row is alias.*, since an alias
-- alone would be a column of that name, and a variable has the name of its function before it.
-- Whoever reads them says row_security = off: where a policy would hide rows from the owner, which would then count as
-- deleted, that is an error and not a filter (sync.warnings() says what to run).

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


create or replace function sync._name_message()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- A name that the writer brings along is not used: it could be one that the sequence will give out.
  new.message_id := 'msg_' || nextval('sync.message_number');
  return new;
end
$$;
comment on function sync._name_message() is 'Assigns message_id.';


-- The next two compare what the writer has set, byte by byte. Not whole rows: these can have generated columns, which
-- are not computed yet. Not in the WHEN of the trigger: to parse that costs more than the call.

create or replace function sync._stamp_being()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if new.modified_at = old.modified_at
    and record_image_ne(
      row(old.id, old.name, old.type, old.owner_id, old.location_id, old.metadata, old.properties, old.content),
      row(new.id, new.name, new.type, new.owner_id, new.location_id, new.metadata, new.properties, new.content)
    )
  then
    new.modified_at := clock_timestamp();
  end if;
  return new;
end
$$;
comment on function sync._stamp_being() is 'Moves modified_at on an update that changes something and does not set it.';


create or replace function sync._stamp_intention()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if new.message_id is distinct from old.message_id then
    new.message_id := old.message_id;
  end if;
  if new.modified_at = old.modified_at
    and record_image_ne(
      row(old.id, old.name, old.type, old.state, old.owner_id, old.location_id, old.content),
      row(new.id, new.name, new.type, new.state, new.owner_id, new.location_id, new.content)
    )
  then
    new.modified_at := clock_timestamp();
  end if;
  return new;
end
$$;
comment on function sync._stamp_intention() is
  'Keeps message_id, and moves modified_at on an update that changes something and does not set it.';


create or replace function sync._touch()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  insert into sync.touched (space_id, entity_type, entity_ids)
  select r.location_id, _touch.tg_argv[0], array_agg(r.id)
  from touched_rows r
  where r.location_id is not null
  group by r.location_id;
  return null;
end
$$;
comment on function sync._touch() is 'Notes the rows that an INSERT or DELETE has touched.';


create or replace function sync._has_virtual(table_id oid)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select
    from pg_catalog.pg_attribute a
    where a.attrelid = table_id
      and a.attgenerated = 'v'
  )
$$;
comment on function sync._has_virtual(oid) is 'Whether a table has virtual columns, which a trigger does not see.';


create or replace function sync._touch_update()
returns trigger
language plpgsql
security definer
set search_path = ''
set enable_mergejoin = off  -- of whole rows: to sort them would cost as much as the update
set work_mem = '64MB'
as $$
begin
  -- Compared byte by byte: what only compares as equal, such as 1.0 and 1.00 in jsonb, is a change to a reader, while an
  -- update that changes nothing that leaves raises nothing. Most statements change one row, where it is, and our columns.
  -- Then all others, and none: who moves, or gets another ID, is on both sides without a partner: where it was, and where
  -- it is. Where only own columns differ, what leaves is asked for.
  if tg_argv[0] = 'being' then
    insert into sync.touched (space_id, entity_type, entity_ids)
    select n.location_id, 'being', array[n.id]
    from old_rows o
    cross join new_rows n
    where (select count(*) from (select from new_rows limit 2) as one) = 1
      and n.location_id = o.location_id
      and n.id = o.id
      and record_image_ne(
        row(o.id, o.name, o.type, o.owner_id, o.location_id, o.metadata, o.properties, o.content, o.created_at, o.modified_at),
        row(n.id, n.name, n.type, n.owner_id, n.location_id, n.metadata, n.properties, n.content, n.created_at, n.modified_at)
      );
    if not found then
      insert into sync.touched (space_id, entity_type, entity_ids)
      select location_id, 'being', array_agg(id)
      from old_rows o
      full join new_rows n using (location_id, id)
      where location_id is not null
        and (
          o.id is null
          or n.id is null
          or record_image_ne(
            row(o.id, o.name, o.type, o.owner_id, o.location_id, o.metadata, o.properties, o.content, o.created_at, o.modified_at),
            row(n.id, n.name, n.type, n.owner_id, n.location_id, n.metadata, n.properties, n.content, n.created_at, n.modified_at)
          )
          or (
            o.* operator(pg_catalog.*<>) n.*
            and (
              (select sync._has_virtual(_touch_update.tg_relid))
              or sync.being_json((o.*)::public.beings)::pg_catalog.text
                <> sync.being_json((n.*)::public.beings)::pg_catalog.text
            )
          )
        )
      group by location_id;
    end if;
  else
    insert into sync.touched (space_id, entity_type, entity_ids)
    select n.location_id, 'intention', array[n.id]
    from old_rows o
    cross join new_rows n
    where (select count(*) from (select from new_rows limit 2) as one) = 1
      and n.location_id = o.location_id
      and n.id = o.id
      and record_image_ne(
        row(o.id, o.message_id, o.name, o.type, o.state, o.owner_id, o.location_id, o.content, o.created_at, o.modified_at),
        row(n.id, n.message_id, n.name, n.type, n.state, n.owner_id, n.location_id, n.content, n.created_at, n.modified_at)
      );
    if not found then
      insert into sync.touched (space_id, entity_type, entity_ids)
      select location_id, 'intention', array_agg(id)
      from old_rows o
      full join new_rows n using (location_id, id)
      where location_id is not null
        and (
          o.id is null
          or n.id is null
          or record_image_ne(
            row(o.id, o.message_id, o.name, o.type, o.state, o.owner_id, o.location_id, o.content, o.created_at, o.modified_at),
            row(n.id, n.message_id, n.name, n.type, n.state, n.owner_id, n.location_id, n.content, n.created_at, n.modified_at)
          )
          or (
            o.* operator(pg_catalog.*<>) n.*
            and (
              (select sync._has_virtual(_touch_update.tg_relid))
              or sync.intention_json((o.*)::public.intentions)::pg_catalog.text
                <> sync.intention_json((n.*)::public.intentions)::pg_catalog.text
            )
          )
        )
      group by location_id;
    end if;
  end if;
  return null;
end
$$;
comment on function sync._touch_update() is 'Notes the rows of which an UPDATE has changed what leaves: where they were, and where they are.';


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
