-- Chapter 5, continued: everything that can be looked at, each thing with a state: what `spacefeed doctor` prints.

-- Notes that are still there after a second: nobody records them. And who has a table locked, or rows of sync.spaces, for
-- longer than any of ours would.
create or replace function sync._stuck_notes()
returns table (found text, remedy text)
language plpgsql
volatile
set search_path = ''
as $$
declare
  first_look constant pg_catalog.text[] := array(
    select n.ctid::pg_catalog.text || n.xid::pg_catalog.text from sync.notes n order by n.xid limit 1000);
begin
  if first_look = '{}' or current_setting('transaction_isolation') not like 'read %' then
    return;
  end if;
  perform pg_sleep(1);
  return query
  select format('%s notes wait for longer than a second, of: %s', case when s.stuck < 10 then s.stuck::pg_catalog.text else '10 or more' end,
      s.spaces) || coalesce(h.found, ''),
    coalesce(h.remedy, '') || 'select failed, reason from sync.record();  -- records them, or says what keeps them'
  from (
    select count(*) as stuck, string_agg(distinct n.space_id, ', ') as spaces
    from (
      select m.space_id
      from sync.notes m
      where m.ctid::pg_catalog.text || m.xid::pg_catalog.text = any (first_look)
      order by m.xid
      limit 10
    ) as n
  ) as s
  left join (
    select format('. Pid %s ("%s") holds %s', a.pid, a.application_name, l.relation::pg_catalog.regclass) as found,
      format('select pg_terminate_backend(%s, 5000); ', a.pid) as remedy
    from pg_catalog.pg_locks l
    join pg_catalog.pg_database d on d.oid = l.database and d.datname = current_database()
    join pg_catalog.pg_stat_activity a on a.pid = l.pid and a.pid <> pg_backend_pid() and a.xact_start < clock_timestamp() - interval '1 s'
    where l.locktype = 'relation' and l.granted and (
      l.mode = 'AccessExclusiveLock' and l.relation in (select to_regclass(k.of_table) from sync.tracked k)
      or l.relation = 'sync.spaces'::pg_catalog.regclass and l.mode <> 'AccessShareLock')
    order by l.mode <> 'AccessExclusiveLock', a.xact_start
    limit 1
  ) as h on true
  where s.stuck > 0;
end
$$;

-- Who has a table locked keeps it from being read: that is told, and not waited for.
create or replace function sync._unequal_spaces()
returns table (state text, found text, remedy text)
language plpgsql
stable
set search_path = ''
set lock_timeout = '1s'
as $$
begin
  return query
  select 'fail', format('%s of space %s are not recorded as they are, as %s %s, which %s', count(*), v.space_id,
      min(v.entity_type), min(v.entity_id), min(v.fault)),
    format('select sync.rebuild(%L);', v.space_id)
  from sync.verify() v
  group by v.space_id;
exception when lock_not_available then
  return query
  select 'warn', 'cannot be compared with the tables: somebody has one locked', 'Look again when nobody has.';
end
$$;

create or replace function sync.checks(verify boolean default false)
returns table (area text, state text, found text, remedy text)
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return query
  with faults as materialized (
    select f.area, f.state, f.found, f.remedy from sync._faults(true) f
    union all
    select 'notes', 'fail', f.* from sync._stuck_notes() f
    union all
    select 'spaces', f.* from sync._unequal_spaces() f where checks.verify
    union all
    select 'queue', case when q.usage < 0.5 then 'warn' else 'fail' end,
      format('the NOTIFY queue is %s%% full, and commits fail at 100%%', floor(q.usage * 100)),
      coalesce(format('select pg_terminate_backend(%s);  -- if it listens; its transaction is the oldest', q.holders -> 0 ->> 'pid'),
        'Look in pg_stat_activity for a session that listens and stays in a transaction.')
    from sync.notify_queue() q
    where q.usage >= 0.1
  ), areas (area, says) as (
    values
      ('version', 'Postgres ' || current_setting('server_version')),
      ('writable', 'a primary, read-write, in ' || getdatabaseencoding()),
      ('durability', 'synchronous_commit is ' || current_setting('synchronous_commit')),
      ('timeouts', 'none ends a session of a relay'),
      ('connections', 'max_connections is ' || current_setting('max_connections')),
      ('wal', format('wal_level is %s, and no slot is left behind', current_setting('wal_level'))),
      ('vacuum', 'few dead rows, and no old transaction'),
      ('tables', (select string_agg(k.of_table, ', ' order by k.entity_type) from sync.tracked k)),
      ('triggers', (
        select format('%s are there, and fire%s', count(*),
          coalesce(', ' || nullif(count(*) filter (where t.tgenabled = 'A'), 0) || ' of them always', ''))
        from sync._triggers() w
        join pg_catalog.pg_trigger t on t.tgname = w.name and t.tgrelid = w.of_table)),
      ('row_security', 'hides no row from the owner'),
      ('rights', format('spacefeed_relay may call %s functions, and is %s', cardinality(sync._called_by_relays()), (
        select coalesce('granted to ' || string_agg(m.member::pg_catalog.regrole::pg_catalog.text, ', '), 'granted to nobody')
        from pg_catalog.pg_auth_members m
        join pg_catalog.pg_roles r on r.oid = m.roleid and r.rolname = 'spacefeed_relay'))),
      ('sequences', 'the next number of a message is free'),
      ('indexes', 'each column that says a space has one'),
      ('filling', 'all rows that were there are recorded'),
      ('notes', 'none waits'),
      ('queue', format('the NOTIFY queue is %s%% full', floor(pg_notification_queue_usage() * 100))),
      ('spaces', case when checks.verify then 'sync.changes and the tables agree' end)
  )
  select f.* from faults f where f.state = 'fail'
  union all
  select f.* from faults f where f.state = 'warn'
  union all
  select a.area, 'ok', a.says, null from areas a where a.says is not null and a.area not in (select f.area from faults f);
end
$$;
comment on function sync.checks(boolean) is
  'Everything that can be looked at: a row each, or one for each fault, with its state (ok, warn, fail), what was found, and what
to run. verify: also sync.verify(), which reads the tables whole. Takes a second where notes wait.';
