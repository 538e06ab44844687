-- Chapter 1, continued: the commit. The first note of a transaction to have its turn has all of its notes filed:
-- what the tables say now of the touched rows, the spaces raised in sorted order, sleeping relays woken, and one row
-- an entity in sync.changes. The notes only say where to look. Most transactions touch one row: record files that
-- by itself, in statements of one row, and leaves the rest to file.

create or replace function sync._look_up(
  entity_type text,
  space_ids text[],
  entity_ids text[]
)
returns table (
  space_id text,
  entity_id text,
  is_there text
)
language plpgsql
security definer
set search_path = ''
set row_security = off
set enable_seqscan = off  -- by the primary key, one ID at a time, also with a plan of when the table was small
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
begin
  -- A table is not looked at in vain: TRUNCATE of one table and then the other would deadlock with a commit.
  if cardinality(entity_ids) = 0 then
    return;
  end if;
  case entity_type
    when 'intention' then
      return query
      select t.space_id, t.entity_id, i.message_id::pg_catalog.text
      from unnest(space_ids, entity_ids) as t (space_id, entity_id)
      left join public.intentions i on i.id = t.entity_id and i.location_id || '' = t.space_id;
    when 'being' then
      return query
      select t.space_id, t.entity_id, case when b.id is not null then '' end
      from unnest(space_ids, entity_ids) as t (space_id, entity_id)
      left join public.beings b on b.id = t.entity_id and b.location_id || '' = t.space_id;
  end case;
end
$$;
comment on function sync._look_up(text, text[], text[]) is
  'For entities of one type, each in a space, whether the table has it there: is_there is the message_id, empty for
a being, and null where it is not.';


create or replace function sync._file(first sync.touched)
returns void
language plpgsql
security definer
set search_path = ''
set enable_seqscan = off  -- a plan that was made when the tables were small
set jit = off  -- it would take longer than the commit
as $$
begin
  with note as (
    delete from sync.touched t
    where t.xid = first.xid
      and t.note > first.note
    returning t.space_id, t.entity_type, t.entity_ids
  ), touched as materialized (
    -- A note of TRUNCATE has no IDs: entity_id is null. In the order of the primary keys, or near it: what comes one
    -- after the other is then on pages that are near one another.
    select distinct on (e.entity_id collate "C", n.entity_type, n.space_id)
      n.space_id,
      n.entity_type,
      e.entity_id
    from (
      select first.space_id, first.entity_type, first.entity_ids
      union all
      select * from note
    ) as n
    left join unnest(n.entity_ids) as e (entity_id) on true
  ), looked_up as (
    select 'intention' as entity_type, i.*
    from sync._look_up(
      'intention',
      array(select t.space_id from touched t where t.entity_type = 'intention' and t.entity_id is not null),
      array(select t.entity_id from touched t where t.entity_type = 'intention' and t.entity_id is not null)
    ) as i
    union all
    select 'being', b.*
    from sync._look_up(
      'being',
      array(select t.space_id from touched t where t.entity_type = 'being' and t.entity_id is not null),
      array(select t.entity_id from touched t where t.entity_type = 'being' and t.entity_id is not null)
    ) as b
  ), changed as materialized (
    select
      l.*,
      coalesce(
        l.is_there,
        (select coalesce(c.message_id, '')
         from sync.changes c
         where c.entity_id = l.entity_id
           and c.entity_type = l.entity_type
           and c.space_id || '' = l.space_id  -- by the primary key: without statistics, an index on spaces looks as good
           and c.deleted_at is null)
      ) as message_id  -- null: came and went in this transaction
    from looked_up l
  ), raised as (
    -- Sorted, so that two commits never deadlock (P8); at most once a transaction (P1).
    insert into sync.spaces as s (space_id, version, floor, xid)
    select c.space_id, 1, bool_or(c.is_truncated)::integer, first.xid
    from (
      select n.space_id, false as is_truncated from changed n where n.message_id is not null
      union all
      select t.space_id, true from touched t where t.entity_id is null
    ) as c
    group by c.space_id
    order by c.space_id collate "C"
    on conflict (space_id) do update
    -- A restored xid may be that of this transaction by chance: then the row itself is older than it.
    set version = s.version + (s.xid <> excluded.xid or age(s.xmin) > 0)::integer,
        floor = case when excluded.floor = 0 then s.floor
          else s.version + (s.xid <> excluded.xid or age(s.xmin) > 0)::integer end,
        xid = excluded.xid
    returning
      s.space_id,
      s.version,
      case when (select sync._relay_sleeps()) then pg_notify('spacefeed', s.version || ' ' || s.space_id) end
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
    case when n.is_there is null then clock_timestamp() end
  from changed n
  join raised r on r.space_id = n.space_id
  where n.message_id is not null
  on conflict on constraint changes_pkey do update
  set version = excluded.version,
      created_version = case when c.deleted_at is null then c.created_version else excluded.version end,
      message_id = excluded.message_id,
      deleted_at = excluded.deleted_at;
end
$$;
comment on function sync._file(sync.touched) is
  'Files this note and the later ones of its transaction: locks the spaces of the touched rows, raises each version
by one, wakes sleeping relays with "<version> <space_id>", and files the rows in sync.changes.';


create or replace function sync._record()
returns trigger
language plpgsql
security definer
set search_path = ''
set row_security = off
set enable_seqscan = off  -- a plan that was made when the tables were small
set jit = off  -- it would take longer than the commit
as $$
declare
  touched_id constant pg_catalog.text := new.entity_ids[1];
  has_later boolean;
  is_there boolean;
  touched_message_id pg_catalog.text;
  raised_version bigint;
begin
  -- Notes have their turns in the order of their numbers: what is below this one is filed.
  delete from sync.touched t
  where t.xid = new.xid
    and t.note = new.note
  returning exists (select from sync.touched later where later.xid = t.xid and later.note > t.note)
  into has_later;
  if not found then
    return null;  -- filed with an earlier note
  end if;

  -- A version that a reader has seen must outlive a crash, or it is given out again with other content (P11).
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'local', true);
  end if;

  if has_later or cardinality(new.entity_ids) <> 1 then
    perform sync._file(new);
    return null;
  end if;

  -- What follows does for one row what sync._file() does for many: keep them alike.
  case new.entity_type
    when 'intention' then
      select i.location_id = new.space_id, i.message_id
      into is_there, touched_message_id
      from public.intentions i
      where i.id = new.entity_ids[1];
    when 'being' then
      select b.location_id = new.space_id
      into is_there
      from public.beings b
      where b.id = new.entity_ids[1];
  end case;
  if is_there is not true then
    select c.message_id
    into touched_message_id
    from sync.changes c
    where c.entity_id = touched_id
      and c.entity_type = new.entity_type
      and c.space_id || '' = new.space_id
      and c.deleted_at is null;
    if not found then
      return null;
    end if;
  end if;

  insert into sync.spaces as s (space_id, version, xid)
  values (new.space_id, 1, new.xid)
  on conflict (space_id) do update
  set version = s.version + (s.xid <> excluded.xid or age(s.xmin) > 0)::integer,
      xid = excluded.xid
  returning s.version into raised_version;

  insert into sync.changes as c
    (space_id, entity_type, entity_id, version, created_version, message_id, deleted_at)
  values (
    new.space_id,
    new.entity_type,
    touched_id,
    raised_version,
    raised_version,
    touched_message_id,
    case when is_there is not true then clock_timestamp() end
  )
  on conflict on constraint changes_pkey do update
  set version = excluded.version,
      created_version = case when c.deleted_at is null then c.created_version else excluded.version end,
      message_id = excluded.message_id,
      deleted_at = excluded.deleted_at;

  if sync._relay_sleeps() then
    perform pg_notify('spacefeed', raised_version || ' ' || new.space_id);
  end if;
  return null;
end
$$;
comment on function sync._record() is 'At commit: has all rows filed that the transaction has touched.';
