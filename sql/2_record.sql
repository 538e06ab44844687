-- Chapter 2: from a write to a version.
--   note     a statement leaves a note of the rows that it has touched, for each space that they are in or have left
--   record   notes that are committed become versions, many transactions at once: sync._file(), in one statement
-- Who records? While a relay is awake, that relay, in turns, for everybody: a commit leaves its notes and does no more
-- (P12). While all sleep, each commit its own spaces, by a deferred trigger. Nobody waits for anybody (P8): a space that
-- another one is recording is left to it, or to a relay, which is told.

-- Note.

create or replace function sync._note()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  insert into sync.notes (space_id, entity_type, entity_ids)
  select r.location_id, _note.tg_argv[0], array_agg(r.id)
  from touched_rows r
  where r.location_id is not null
  group by r.location_id;
  return null;
end
$$;
comment on function sync._note() is 'Notes the rows of an INSERT or a DELETE.';


create or replace function sync._note_update()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- Who moves, or gets another ID, is there once with each: where it was, and where it is.
  insert into sync.notes (space_id, entity_type, entity_ids)
  select c.location_id, _note_update.tg_argv[0], array_agg(c.id)
  from (
    select r.location_id, r.id
    from (
      select o.location_id, o.id, o.modified_at from old_rows o
      union all
      select n.location_id, n.id, n.modified_at from new_rows n
    ) as r
    where r.location_id is not null
    group by r.location_id, r.id
    having count(*) = 1 or min(r.modified_at) <> max(r.modified_at)
  ) as c
  group by c.location_id;
  return null;
end
$$;
comment on function sync._note_update() is 'Notes the rows of which an UPDATE has changed what leaves: where they were, and where they are.';


create or replace function sync._note_truncate()
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

  -- No tombstones for what may be millions of rows: the floor of each space is raised, which sends its readers to the
  -- snapshot. What was deleted before keeps its tombstone.
  with emptied as (
    delete from sync.changes c
    where c.entity_type = tg_argv[0]
      and c.deleted_at is null
    returning c.space_id
  )
  insert into sync.notes (space_id, entity_type, entity_ids)
  select e.space_id, tg_argv[0], '{}'::pg_catalog.text[]
  from emptied e
  union
  select n.space_id, tg_argv[0], '{}'
  from sync.notes n
  where n.entity_type = tg_argv[0]
    and n.xid <> pg_current_xact_id();  -- nobody has seen those
  return null;
end
$$;
comment on function sync._note_truncate() is 'Notes every space that had such rows.';


-- Record.

create or replace function sync._lock(
  space_ids text[],
  tries integer default 1
)
returns text[]
language plpgsql
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan  -- as in sync._file()
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
set lock_timeout = '100ms'  -- below deadlock_timeout: somebody has locked a table, and a relay can wait for it
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


create or replace function sync.record(
  seen pg_snapshot default null,
  apart text[] default '{}',
  max_notes integer default 2000,
  out now_seen pg_snapshot,
  out filed bigint,
  out is_more boolean,
  out left_behind text[],
  out failed text[],
  out reason text
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '100ms'  -- as in sync._commit()
set enable_seqscan = off  -- as in sync._file()
set jit = off
as $$
declare
  here constant pg_catalog.pg_snapshot := pg_current_snapshot();
  below constant pg_catalog.xid8 := sync._recorded_below();
  done pg_catalog.xid8 := pg_snapshot_xmin(here);
  from_xid pg_catalog.xid8 := '0';
  open_xids pg_catalog.xid8[] := '{}';
  noted integer;
  wanted pg_catalog.text[];
  locked pg_catalog.text[];
  one pg_catalog.text;
begin
  -- Xids that are still to come are another server's: then all notes are looked at.
  if pg_snapshot_xmax(seen) <= pg_snapshot_xmax(here) then
    done := pg_snapshot_xmin(seen);
    from_xid := pg_snapshot_xmax(seen);
    open_xids := array(select pg_snapshot_xip(seen));
  end if;
  select array_agg(distinct n.space_id), count(*)
  into wanted, noted
  from (
    select n.space_id
    from sync.notes n
    where (n.xid >= from_xid or n.xid = any (open_xids))
      and n.space_id <> all (apart)
    limit max_notes
  ) as n;
  filed := 0;
  is_more := noted = max_notes;
  now_seen := case when is_more then seen else here end;
  left_behind := '{}';
  failed := '{}';
  -- Nobody rolls a sequence back, and all see it at once: so it is raised to what an earlier transaction has recorded.
  if (wanted is not null or done::pg_catalog.text::bigint > below::pg_catalog.text::bigint + 1000)
    and done > below
    and current_setting('transaction_isolation') like 'read %'
    and not exists (select from sync.notes n where n.xid >= below and n.xid < done)
  then
    perform setval('sync.recorded_below', done::pg_catalog.text::bigint);
  end if;
  if wanted is null then
    return;
  end if;

  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'local', true);
  end if;
  locked := sync._lock(wanted);
  begin
    filed := sync._file(locked, from_xid, open_xids);
  exception when others then
    foreach one in array locked loop
      begin
        filed := filed + sync._file(array[one], from_xid, open_xids);
      exception when others then
        failed := failed || one;
        reason := sqlstate || ': ' || sqlerrm;
      end;
    end loop;
  end;
  left_behind := array(select w from unnest(wanted) as w except select l from unnest(locked) as l);
end
$$;
comment on function sync.record(pg_snapshot, text[], integer) is
  'Turns committed notes into versions: those that the snapshot seen does not show, or all. Not of the spaces apart;
left_behind are those that another one is recording, failed those of which it did not work, for a reason.';


create or replace function sync.reach(space_ids text[])
returns table (
  space_id text,
  version bigint,
  is_pending boolean
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '100ms'
set enable_seqscan = off  -- as in sync._file()
set jit = off
as $$
declare
  from_xid constant pg_catalog.xid8 := sync._recorded_below();
  pending constant pg_catalog.text[] := array(
    select distinct n.space_id
    from sync.notes n
    where n.xid >= from_xid
      and n.space_id = any (space_ids)
  );
begin
  if cardinality(pending) > 0 then
    begin
      perform sync._file(sync._lock(pending), from_xid);
    exception when others then
      null;  -- still pending; the relay that records says what it is
    end;
  end if;
  return query
  select
    w.space_id,
    (select s.version from sync.spaces s where s.space_id = w.space_id),
    exists (select from sync.notes n where n.xid >= from_xid and n.space_id = w.space_id)
  from unnest(space_ids) as w (space_id);
end
$$;
comment on function sync.reach(text[]) is
  'Records these spaces, and says at which versions they are then; is_pending where another one was recording them.';


-- The relays (P12). All listen; one of them is the recorder, for as long as its session has the lock.

create or replace function sync.relay_seen(
  records boolean default null,
  out was_heard boolean
)
language plpgsql
security definer
set search_path = ''
as $$
declare
  now_ms constant bigint := extract(epoch from clock_timestamp()) * 1000;
begin
  -- Half of the minute leaves time for a sign of life that is long on its way.
  was_heard := pg_sequence_last_value('sync.listening_until') > now_ms + 30000;
  perform setval('sync.listening_until', now_ms + 60000);
  if records is not null then
    perform setval('sync.recording_until', case when records then now_ms + 2000 else 0 end);
  end if;
end
$$;
comment on function sync.relay_seen(boolean) is
  'A relay''s sign of life: for a minute, commits notify. records: whether it records for everybody, for 2 s, or no longer;
null leaves it as it is. Says whether commits have been notifying until now.';


create or replace function sync.lead(wanted boolean)
returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform pg_advisory_unlock_all();  -- not twice
  if wanted and pg_try_advisory_lock(hashtext('sync.record'), 0) then
    -- Of a session that is silent, since its relay hangs or its line is half-open, the server frees the lock.
    perform set_config('idle_session_timeout', '3s', false);
    return true;
  end if;
  perform set_config('idle_session_timeout', '0', false);
  return false;
end
$$;
comment on function sync.lead(boolean) is 'Makes this session the recorder, if no other one is, or ends that.';
