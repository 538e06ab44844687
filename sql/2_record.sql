-- Chapter 2, continued: how notes become versions, and the commit, which sees to it that somebody does it.

create or replace function sync._lock(
  space_ids text[],
  tries integer default 1
)
returns text[]
language plpgsql
security definer
set search_path = ''
set lock_timeout = '100ms'  -- as in sync._file()
set plan_cache_mode = force_generic_plan
as $$
declare
  locked pg_catalog.text[];
begin
  loop
    -- An INSERT would wait for another one of the same space. So new spaces take one of a few locks first, or come later.
    insert into sync.spaces (space_id, version)
    select w.space_id, 0
    from unnest(space_ids) as w (space_id)
    where case when (select s.space_id from sync.spaces s where s.space_id = w.space_id) is null then
        pg_try_advisory_xact_lock(hashtext('sync.spaces'), hashtext(w.space_id) & 63)
      end
    on conflict do nothing;

    locked := array(
      select s.space_id
      from sync.spaces s
      where s.space_id = any (space_ids)
      for no key update skip locked
    );
    tries := tries - 1;
    exit when tries <= 0 or cardinality(locked) = cardinality(space_ids);
    perform pg_sleep(0.01);
  end loop;
  return locked;
end
$$;
comment on function sync._lock(text[], integer) is
  'Locks those of the spaces that nobody else has, and returns them. Waits for none; more tries are 10 ms apart.';


create or replace function sync._file(
  space_ids text[],
  from_xid xid8,
  open_xids xid8[] default '{}'
)
returns bigint
language plpgsql
security definer
set search_path = ''
set enable_seqscan = off  -- the plan may be of a time when the queue was empty
set lock_timeout = '100ms'  -- below deadlock_timeout: who has locked a table holds up nobody else
set plan_cache_mode = force_generic_plan  -- planning anew would take longer than the statement
set jit = off  -- as would compiling
as $$
declare
  filed bigint;
begin
  with note as (
    delete from sync.notes n
    where (n.xid >= from_xid or n.xid = any (open_xids))
      and n.space_id = any (space_ids)
    returning n.xid::pg_catalog.text::bigint as xid, n.space_id, n.entity_type, n.entity_ids
  ), touched as materialized (
    select n.space_id, n.entity_type, e.entity_id, min(n.xid) < max(n.xid) as is_of_many
    from note n
    left join unnest(n.entity_ids) as e (entity_id) on true
    group by n.space_id, n.entity_type, e.entity_id
  ), found as materialized (
    -- In the order of the keys: what comes one after the other is then on pages that are near one another.
    select g.entity_type, f.space_id, f.entity_id, f.is_there, g.are_of_many[f.n] as is_of_many
    from (
      select
        t.entity_type,
        array_agg(t.space_id order by t.entity_id collate "C", t.space_id) as space_ids,
        array_agg(t.entity_id order by t.entity_id collate "C", t.space_id) as entity_ids,
        array_agg(t.is_of_many order by t.entity_id collate "C", t.space_id) as are_of_many
      from touched t
      where t.entity_id is not null
      group by t.entity_type
    ) as g
    cross join lateral sync._find(g.entity_type, g.space_ids, g.entity_ids)
      with ordinality as f (space_id, entity_id, is_there, n)
  ), looked_up as materialized (
    -- What came and went in one transaction was never there. In two, a reader may have it: it is deleted.
    select f.*, coalesce(
      f.is_there,
      (select coalesce(c.message_id, '')
       from sync.changes c
       where (c.entity_id, c.entity_type, c.space_id) = (f.entity_id, f.entity_type, f.space_id)
         and (c.deleted_at is null or f.is_of_many)),
      case when f.is_of_many then sync._no_message(f.entity_type) end) as message_id
    from found f
  ), changed as materialized (
    select * from looked_up l where l.message_id is not null
  ), raised as (
    update sync.spaces s
    -- Once a transaction (P1). A restored xid may be that of this one by chance: then the row itself is older.
    set version = s.version + (s.xid <> pg_current_xact_id() or age(s.xmin) > 0)::integer,
        floor = case when not r.is_emptied then s.floor
          else s.version + (s.xid <> pg_current_xact_id() or age(s.xmin) > 0)::integer end,
        xid = pg_current_xact_id()
    from (
      select r.space_id, bool_or(r.is_emptied) as is_emptied
      from (
        select c.space_id, false as is_emptied from changed c
        union all
        select t.space_id, true from touched t where t.entity_id is null
      ) as r
      group by r.space_id
    ) as r
    where s.space_id = any (space_ids)  -- by index, whatever the planner expects of r
      and s.space_id = r.space_id
    returning s.space_id, s.version, sync._tell(s.version || ' ' || s.space_id)
  ), recorded as (
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
    on conflict on constraint changes_pkey do update
    set version = excluded.version,
        created_version = case when c.deleted_at is null then c.created_version else excluded.version end,
        message_id = excluded.message_id,
        deleted_at = excluded.deleted_at
  )
  select count(*) into filed from note;
  return filed;
end
$$;
comment on function sync._file(text[], xid8, xid8[]) is
  'Files the notes of these spaces, which the caller has locked, from an xid on and of some before it: looks up what the
tables have, raises each space by one version, and notifies "<version> <space_id>". One statement, one snapshot: a
transaction is in it with all of its notes, or with none (P5). Returns how many notes it were.';


create or replace function sync._tell(payload text)
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  if pg_sequence_last_value('sync.listening_until') > extract(epoch from clock_timestamp()) * 1000 then
    perform pg_notify('spacefeed', payload);
  end if;
end
$$;
comment on function sync._tell(text) is 'Notifies the relays, if there are any.';


create or replace function sync._recorded_below()
returns xid8
language plpgsql
security definer
set search_path = ''
as $$
declare
  xid constant pg_catalog.xid8 := pg_sequence_last_value('sync.recorded_below')::pg_catalog.text::pg_catalog.xid8;
begin
  -- One that is still to come is from another server: restored. And an older snapshot shows what is recorded since.
  return case
    when xid <= pg_snapshot_xmax(pg_current_snapshot()) and current_setting('transaction_isolation') like 'read %' then xid
    else '0'
  end;
end
$$;
comment on function sync._recorded_below() is 'Where to look for notes from: those of transactions before it are recorded.';


create or replace function sync._commit()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  own pg_catalog.text[];
  locked pg_catalog.text[];
  -- A statement of many rows, or one after many. The command number tells of those, and has no operators.
  is_large constant boolean := cardinality(new.entity_ids) not between 1 and 1000
    or new.cmin::pg_catalog.text::bigint > 1000;
begin
  if not is_large
    and pg_sequence_last_value('sync.recording_until') > extract(epoch from clock_timestamp()) * 1000
    and current_setting('sync.recorded', true) is distinct from new.xid::pg_catalog.text  -- the rest is in the same version
  then
    return null;  -- a relay is awake
  end if;
  if not exists (select from sync.notes n where n.ctid = new.ctid) then
    return null;  -- filed with an earlier note
  end if;

  -- An older snapshot does not see what others have left, and a version that a reader has seen must outlive a crash
  -- (P11): those leave it to a relay.
  if current_setting('transaction_isolation') like 'read %' and current_setting('synchronous_commit') <> 'off' then
    begin
      own := array(select distinct n.space_id from sync.notes n where n.xid = pg_current_xact_id());
      locked := sync._lock(own, case when is_large then 40 else 1 end);
      perform sync._file(locked, sync._recorded_below());
      perform set_config('sync.recorded', new.xid::pg_catalog.text, true);
      if cardinality(locked) = cardinality(own) then
        return null;
      end if;
    exception when others then
      null;  -- no fault of the writer's: a relay tries again, and says what it is
    end;
  end if;
  perform sync._tell('record');
  return null;
end
$$;
comment on function sync._commit() is
  'At commit: records what the transaction has touched, or leaves it to a relay. One that sleeps is told of it, with ''record''.';
