-- Chapter 2, continued: how notes become versions. While a relay is awake, it records for everybody, in turns: a commit leaves
-- its notes and does no more (P12). While all sleep, each commit records its own spaces, by a deferred trigger. Nobody waits
-- for anybody (P8): a space that another session is recording is left to that one, or to a relay, which is told.

-- For what has to see all rows that are there.
create or replace function sync._demand_read_committed()
returns void
language plpgsql
set search_path = ''
as $$
begin
  if current_setting('transaction_isolation') not like 'read %' then
    raise exception 'a % transaction does not see all rows', current_setting('transaction_isolation')
      using errcode = 'feature_not_supported', hint = 'Run it in a transaction that is read committed.';
  end if;
end
$$;

-- A table was emptied. No tombstones for what may be millions of rows: the floor of each space is raised, which sends its
-- readers to the snapshot. What was deleted before keeps its tombstone. Notes of others are of rows that nobody has seen.
create or replace function sync._note_emptied()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform sync._demand_read_committed();
  with emptied as (
    delete from sync.changes c
    where c.entity_type = tg_argv[0] and c.deleted_at is null and (
      exists (select from sync.tracked k where to_regclass(k.of_table) = tg_relid)
      or (sync._find(c.entity_type, c.space_id, array[c.entity_id]))[1] is null)  -- of a partition, only what was in it
    returning c.space_id
  )
  insert into sync.notes (space_id, entity_type, entity_ids)
  select e.space_id, tg_argv[0], '{}'::pg_catalog.text[]
  from emptied e
  union
  select n.space_id, tg_argv[0], '{}'
  from sync.notes n
  where n.entity_type = tg_argv[0] and n.xid <> pg_current_xact_id()
  union
  select s.space_id, tg_argv[0], '{}'
  from sync.spaces s
  where sync._is_filling(tg_argv[0]);
  return null;
end
$$;

-- Whether rows are there that are not recorded, since they are older than the triggers.
create or replace function sync._is_filling(entity_type text)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (select from sync.tracked k where k.entity_type = _is_filling.entity_type and k.filled_to is not null)
$$;

-- Where to look for notes from: those of transactions before it are recorded. A number above our own xids came with the dump
-- of another server: it says nothing. Nor does it to an older snapshot, which still sees notes that were recorded since.
create or replace function sync._recorded_below()
returns xid8
language plpgsql
security definer
set search_path = ''
as $$
declare
  xid constant pg_catalog.xid8 := pg_sequence_last_value('sync.recorded_below')::pg_catalog.text::pg_catalog.xid8;
begin
  return case
    when xid <= pg_snapshot_xmax(pg_current_snapshot()) and current_setting('transaction_isolation') like 'read %' then xid
    else '0'
  end;
end
$$;

-- Files the notes of these spaces that are of from_xid or later, or of open_xids: looks up what the tables have, raises each
-- space by one version, and notifies "<version> <space_id>". That is one statement, with one snapshot: a transaction is in
-- it with all of its notes, or with none (P5). It locks those of the spaces that nobody else has, and waits for none.
-- Returns these, and the number of notes. tries: how often it tries to lock all of them, 10 ms apart.
create or replace function sync._file(space_ids text[], from_xid xid8, open_xids xid8[] default '{}', tries integer default 1,
  out locked text[], out filed bigint)
language plpgsql
security definer
set search_path = ''
set enable_seqscan = off  -- the plan may be of a time when the queue was empty
set lock_timeout = '100ms'  -- below deadlock_timeout: who has locked a table holds up nobody else
set plan_cache_mode = force_generic_plan  -- planning anew would take longer than the statement
set jit = off  -- as would compiling
as $$
declare
  is_heard constant boolean := pg_sequence_last_value('sync.listening_until') > extract(epoch from clock_timestamp()) * 1000;
begin
  -- A version that a reader has seen must outlive a crash (P11).
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'local', true);
  end if;
  loop
    locked := array(
      select s.space_id from sync.spaces s where s.space_id = any (space_ids) for no key update skip locked);
    exit when cardinality(locked) = cardinality(space_ids) or tries <= 0;
    -- An INSERT would wait for another one of the same space. So new spaces take one of a few locks first, or come later.
    insert into sync.spaces (space_id, version)
    select w.space_id, 0
    from unnest(space_ids) as w (space_id)
    where case when (select s.space_id from sync.spaces s where s.space_id = w.space_id) is null then
        pg_try_advisory_xact_lock(hashtext('sync.spaces'), hashtext(w.space_id) & 63)
      end
    on conflict do nothing;
    tries := tries - 1;
    if not found and tries > 0 then
      perform pg_sleep(0.01);
    end if;
  end loop;

  with note as (
    delete from sync.notes n
    where (n.xid >= from_xid or n.xid = any (open_xids)) and n.space_id = any (locked)
    returning n.xid::pg_catalog.text::bigint as xid, n.space_id, n.entity_type, n.entity_ids
  ), found as materialized (
    -- What came and went in one transaction was never there, and has no label here. In two, or where sync.fill() has not
    -- been yet, a reader may have it: it is deleted.
    select t.*, coalesce(
      t.is_there,
      (select coalesce(c.label, '')
       from sync.changes c
       where (c.entity_id, c.entity_type) = (t.entity_id, t.entity_type) and c.space_id || '' = t.space_id  -- by the primary key
         and (c.deleted_at is null or t.is_of_many)),
      case when t.is_of_many or t.entity_id is null or sync._is_filling(t.entity_type) then '' end
    ) as label
    from (
      -- In the order of the keys: what comes one after the other is then on pages that are near one another.
      select n.space_id, n.entity_type, e.entity_id, e.is_there, min(n.xid) < max(n.xid) as is_of_many
      from note n
      left join unnest(n.entity_ids, sync._find(n.entity_type, n.space_id, n.entity_ids)) as e (entity_id, is_there) on true
      group by n.space_id, n.entity_type, e.entity_id, e.is_there
      order by e.entity_id collate "C", n.space_id
    ) as t
  ), raised as (
    update sync.spaces s
    -- Once a transaction (P1). A restored xid may be that of this one by chance: then the row itself is older.
    set version = s.version + (s.xid <> pg_current_xact_id() or age(s.xmin) > 0)::integer,
        floor = case when s.space_id <> all (array(select f.space_id from found f where f.entity_id is null)) then s.floor
          else s.version + (s.xid <> pg_current_xact_id() or age(s.xmin) > 0)::integer end,
        xid = pg_current_xact_id(),
        raised_at = clock_timestamp()
    where s.space_id = any (array(select f.space_id from found f where f.label is not null))
    returning s.space_id, s.version, case when is_heard then pg_notify('spacefeed', s.version || ' ' || s.space_id) end
  ), recorded as (
    insert into sync.changes as c (space_id, entity_type, entity_id, version, created_version, label, deleted_at)
    select f.space_id, f.entity_type, f.entity_id, r.version, r.version, nullif(f.label, ''),
      case when f.is_there is null then clock_timestamp() end
    from found f
    join raised r on r.space_id = f.space_id
    where f.label is not null and f.entity_id is not null
    on conflict on constraint changes_pkey do update
    set version = excluded.version,
        created_version = case when c.deleted_at is null then c.created_version else excluded.version end,
        label = excluded.label,
        deleted_at = excluded.deleted_at
  )
  select count(*) into filed from note;
end
$$;

-- At commit: records what the transaction has touched, or leaves it to a relay. One that sleeps is told of it.
create or replace function sync._commit()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  own pg_catalog.text[];
  is_all boolean;
  has_recorded constant boolean := current_setting('sync.recorded', true) = new.xid::pg_catalog.text;  -- at an earlier note
  -- A statement of many rows, or one after many: cmin counts the commands before. Its type has no operators, hence the cast.
  is_large constant boolean := cardinality(new.entity_ids) not between 1 and 1000
    or new.cmin::pg_catalog.text::bigint > 1000
    or current_setting('sync.large', true) is not distinct from new.xid::pg_catalog.text;  -- as sync.fill() says, and who writes to many spaces
begin
  if not is_large
    and has_recorded is not true  -- the rest is in the same version
    and pg_sequence_last_value('sync.recording_until') > extract(epoch from clock_timestamp()) * 1000
  then
    return null;  -- a relay is awake
  end if;
  if has_recorded then
    if not exists (select from sync.notes n where n.ctid = new.ctid) then
      return null;  -- filed with an earlier note
    end if;
  end if;

  -- An older snapshot does not see what others have left, and a version that a reader has seen must outlive a crash
  -- (P11): those leave it to a relay.
  if current_setting('transaction_isolation') like 'read %' and current_setting('synchronous_commit') <> 'off' then
    begin
      own := array(select distinct n.space_id from sync.notes n where n.xid = pg_current_xact_id());
      is_all := cardinality((sync._file(own, sync._recorded_below(), '{}', case when is_large then 40 else 1 end)).locked)
        = cardinality(own);
      perform set_config('sync.recorded', new.xid::pg_catalog.text, true);
    exception when others then
      null;  -- no fault of the writer's: a relay tries again, and says what it is
    end;
  end if;
  if is_all is not true and pg_sequence_last_value('sync.listening_until') > extract(epoch from clock_timestamp()) * 1000 then
    perform pg_notify('spacefeed', 'record');
  end if;
  return null;
end
$$;
