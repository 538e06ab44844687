-- Chapter 5: operation. What a DBA runs by hand; the relays prune by themselves.
--   status   one row for a first look          verify   proves that sync.changes and the tables agree
--   prune    drops old tombstones              rebuild  repairs one space from the tables
--   erase    deletes, and keeps the ID alone   reset    a new epoch: after a restore that left no trace, or
--                                                       after writes with the triggers switched off
-- Then the watch on the NOTIFY queue.

-- Created only where it is missing: replacing it would wait for whoever is reading it.
do $$
begin
  if to_regclass('sync.status') is null then
    create view sync.status as
    select
      sync.epoch() as epoch,
      (select count(*) from sync.spaces s where s.version > 0) as spaces,
      (select coalesce(sum(s.version), 0) from sync.spaces s) as versions,
      (select greatest(c.reltuples, 0)::bigint from pg_catalog.pg_class c where c.oid = 'sync.changes'::regclass) as changes,
      (select greatest(c.reltuples, 0)::bigint
       from pg_catalog.pg_class c where c.oid = 'sync.changes_deleted_at_idx'::regclass) as tombstones,
      (select count(*) from pg_catalog.pg_stat_activity a
       where a.datname = current_database() and a.application_name = 'spacefeed listener') as relays,
      (select l.pid
       from pg_catalog.pg_locks l
       join pg_catalog.pg_database d on d.oid = l.database and d.datname = current_database()
       where l.locktype = 'advisory' and l.classid = hashtext('sync.record')::bigint::bit(32)::bigint::oid and l.objsubid = 2
         and l.granted
       limit 1) as recorder,
      coalesce(to_timestamp((select q.last_value from sync.recording_until q) / 1000.0) > clock_timestamp(), false) as awake,
      (select clock_timestamp() - min(a.xact_start) from pg_catalog.pg_stat_activity a
       where a.datname = current_database() and a.backend_xid is not null) as oldest_write,
      pg_notification_queue_usage() as notify_queue_usage,
      (select count(*) from sync.notes) as notes,
      array(select distinct n.space_id from sync.notes n limit 10) as waiting;
    comment on view sync.status is
      'One row: spaces and the versions given out; changes and tombstones as of the last vacuum; relays that listen, the
pid of the one that records, and whether it is awake; the age of the oldest open write; how full the NOTIFY queue of the
cluster is (0 to 1; writers fail at 1); the notes that wait to be recorded, and some of their spaces.';
  end if;
end
$$;

create or replace function sync.verify(only_space_id text default null)
returns table (space_id text, entity_type text, entity_id text, fault text)
language sql
stable
security definer
set search_path = ''
set row_security = off
as $$
  with compared as (
    select k.*, case
        when c.version is null then 'is in the table, but not recorded'
        when a.label is null and c.deleted_at is null then 'is recorded, but not in the table'
        when a.label is not null and c.deleted_at is not null then 'is in the table, but recorded as deleted'
        when c.deleted_at is null and a.label <> coalesce(c.label, '') then 'is recorded with another label'
        when s.version is null then 'is recorded in a space without a version'
        when c.version > s.version then 'is recorded above the version of its space'
        when c.created_version not between 1 and c.version then 'is recorded as created after its last change'
        when t.entity_type is null then 'is recorded, but of no table that is tracked'
      end as fault
    from sync._all(verify.only_space_id) a
    full join sync.changes c using (space_id, entity_type, entity_id) as k
    left join sync.spaces s on s.space_id = k.space_id
    left join sync.tracked t on t.entity_type = k.entity_type
    where (t.filled_to is null or c.version is not null) and not exists (  -- a note of it waits
      select
      from sync.notes n
      where (n.space_id, n.entity_type) = (k.space_id, k.entity_type) and (k.entity_id = any (n.entity_ids) or n.entity_ids = '{}')
    )
    union all
    select s.space_id, 'space', s.space_id, case
        when s.floor not between 0 and s.version then 'has a floor that is not between 0 and its version'
        when s.version > s.floor
          and not exists (select from sync.changes c where (c.space_id, c.version) = (s.space_id, s.version))
          then 'has a version with no change in it'
      end
    from sync.spaces s
  )
  select v.*
  from compared v
  where v.fault is not null and v.space_id = coalesce(verify.only_space_id, v.space_id)
  order by v.space_id, v.entity_type, v.entity_id
$$;
comment on function sync.verify(text) is 'No rows when sync.changes and the tables agree, in one space or in all. What waits
to be recorded is left out. Reads the tables whole.';

create or replace function sync.prune(keep interval, max_rows integer default 10000)
returns bigint
language plpgsql
security definer
set search_path = ''
as $$
declare
  pruned bigint;
begin
  if keep < '0'::interval or max_rows < 1 then
    raise exception 'prune: keep must not be negative, and max_rows at least 1' using errcode = 'invalid_parameter_value';
  end if;

  -- Spaces first, and waits for none (P8): one that another session has comes next time.
  with old as materialized (
    select c.space_id, c.entity_type, c.entity_id
    from sync.changes c
    where c.deleted_at <= clock_timestamp() - keep
    order by c.deleted_at
    limit max_rows
  ), locked as materialized (
    select s.space_id
    from sync.spaces s
    where s.space_id in (select o.space_id from old o)
    for no key update skip locked
  ), gone as (
    -- deleted_at once more: a tombstone may have come to life just before its space was locked.
    delete from sync.changes c
    using old o, locked l
    where l.space_id = o.space_id
      and (c.space_id, c.entity_type, c.entity_id) = (o.space_id, o.entity_type, o.entity_id)
      and c.deleted_at <= clock_timestamp() - keep
    returning c.space_id, c.version
  ), raised as (
    update sync.spaces s
    set floor = greatest(s.floor, g.version)
    from (select gone.space_id, max(gone.version) as version from gone group by gone.space_id) as g
    where s.space_id = g.space_id
  )
  select count(*) into pruned from gone;
  return pruned;
end
$$;
comment on function sync.prune(interval, integer) is
  'Drops tombstones older than keep, at most max_rows of them, and returns how many: relays call it, or pg_cron.
Who was away for longer gets a snapshot. Holds the spaces concerned until its transaction ends, and leaves out those that
another session holds.';

create or replace function sync.erase(of_type text, variadic ids text[])
returns bigint
language plpgsql
security definer
set search_path = ''
set row_security = off
as $$
declare
  e pg_catalog.record;
  wanted pg_catalog.text[];
begin
  perform sync._demand_read_committed();
  select * into e from sync._texts(sync._tracked(of_type, 'erase'));
  execute format('select $1::%s[]::pg_catalog.text[]', e.key_type) into ids using ids;  -- as sync.changes has them
  execute format('delete from %s as t where %s = any ($1::%s[])', e.rows, e.key, e.key_type) using ids;
  wanted := array(
    select n.space_id from sync.notes n where n.xid = pg_current_xact_id() and n.entity_type = of_type
    union
    select c.space_id from sync.changes c where c.entity_type = of_type and c.entity_id = any (ids));
  -- Recorded at once, which locks the spaces: so that nobody else writes the label down any more.
  if cardinality((sync._file(wanted, sync._recorded_below(), '{}', 40)).locked) < cardinality(wanted) then
    raise exception 'erase: other sessions are recording some of the spaces %', wanted
      using errcode = 'lock_not_available', hint = 'Nothing was erased. Try again.';
  end if;
  perform set_config('sync.recorded', pg_current_xact_id()::pg_catalog.text, true);  -- the rest of it joins this version
  update sync.changes c set label = null
  where c.entity_type = of_type and c.entity_id = any (ids) and c.label is not null;
  return (select count(distinct c.space_id) from sync.changes c where c.entity_type = of_type and c.entity_id = any (ids));
end
$$;
comment on function sync.erase(text, text[]) is
  'Deletes rows of a type by their IDs, of which nothing but the IDs is kept: clients drop them as they drop what is deleted.
For people who must be forgotten. Returns in how many spaces they were. Raises lock_not_available where one of these is
being recorded for long.';

create or replace function sync.rebuild(only_space_id text)
returns bigint
language plpgsql
security definer
set search_path = ''
set row_security = off
as $$
declare
  rebuilt bigint;
begin
  perform sync._demand_read_committed();
  if only_space_id is null then
    perform sync._hold_off_truncate('share row exclusive');
    lock table sync.spaces, sync.notes in share row exclusive mode;
  end if;
  -- Having read the tables, it holds off TRUNCATE.
  insert into sync.spaces (space_id, version)
  select distinct a.space_id, 0 from sync._all(only_space_id) a
  on conflict do nothing;
  -- Whose space is locked leaves its notes, also those who commit from here on. So first the notes go, then the tables are
  -- read: of what a note has named that is gone, they have all.
  perform from sync.spaces s where s.space_id = only_space_id for no key update;
  if only_space_id is not null and not found then
    return 0;
  end if;
  delete from sync.notes n where n.space_id = coalesce(only_space_id, n.space_id);
  delete from sync.changes c where c.space_id = coalesce(only_space_id, c.space_id);
  update sync.spaces s
  set version = s.version + 1, floor = s.version + 1, xid = pg_current_xact_id()
  where s.space_id = coalesce(only_space_id, s.space_id);
  insert into sync.changes (space_id, entity_type, entity_id, version, created_version, label)
  select a.space_id, a.entity_type, a.entity_id, s.version, s.version, nullif(a.label, '')
  from sync._all(only_space_id) a
  join sync.spaces s using (space_id);
  get diagnostics rebuilt = row_count;
  perform pg_notify('spacefeed', s.version || ' ' || s.space_id)
  from sync.spaces s
  where s.space_id = coalesce(only_space_id, s.space_id);
  return rebuilt;
end
$$;
comment on function sync.rebuild(text) is
  'Repairs a space of which sync.verify() has rows: its sync.changes anew from the tables, and its clients take a snapshot.
Returns how many entities are in it. Nobody waits for it: what is written meanwhile is recorded after it.';

create or replace function sync.reset()
returns text
language plpgsql
security definer
set search_path = ''
set row_security = off
as $$
begin
  perform sync.rebuild(null);
  -- Rows may have come with their names. Never back: a number that was given out names a message that was sent.
  if to_regclass('public.intentions') is not null then
    perform setval('sync.message_number', named.highest)
    from (select max(substr(i.message_id, 5)::bigint) as highest from public.intentions i) as named
    where named.highest >= (select q.last_value + q.is_called::integer from sync.message_number q);
  end if;
  update sync.tracked set filled_to = null;
  update sync.instance set epoch = gen_random_uuid()::pg_catalog.text;
  return sync.epoch();
end
$$;
comment on function sync.reset() is
  'A new epoch, and sync.changes rebuilt from the tables: every client takes a snapshot (P11), and message_id goes on
after the highest that there is. For a copy of the data files that was started as it was, and for writes with the
triggers switched off. Locks the tables.';

create or replace function sync.notify_queue(out usage double precision, out holders json)
language sql
volatile
security definer
set search_path = ''
as $$
  -- Nothing tells which other session listens: so whoever has been in a transaction for long.
  select pg_notification_queue_usage(), coalesce(json_agg(oldest), '[]')
  from (
    select a.pid, a.datname as database, a.usename as "user", a.application_name as application, a.xact_start as since
    from pg_catalog.pg_stat_activity a
    where a.backend_type = 'client backend' and a.xact_start is not null and a.pid <> pg_backend_pid()
    order by a.xact_start
    limit 3
  ) as oldest
$$;
comment on function sync.notify_queue() is
  'How full the NOTIFY queue of the cluster is (0 to 1; writers fail at 1), and the three sessions with the oldest
transactions, of which a listening one keeps it from being emptied. Those of other roles are among them only where
the owner of this function has pg_read_all_stats.';
