-- Chapter 5, continued: what of the server, its settings and the rights in it sync.checks() finds to be wrong.

-- What a role, or all in this database, have set for themselves, and the line that it was set by.
create or replace function sync._settings()
returns table (name text, value text, of_role text, alter_line text)
language sql
stable
set search_path = ''
as $$
  select split_part(c.line, '=', 1), substr(c.line, strpos(c.line, '=') + 1), r.rolname, case
      when d.setrole = 0 then format('alter database %I', b.datname)
      when d.setdatabase = 0 then format('alter role %I', r.rolname)
      else format('alter role %I in database %I', r.rolname, b.datname)
    end
  from pg_catalog.pg_db_role_setting d
  join pg_catalog.pg_database b on b.datname = current_database() and d.setdatabase in (0, b.oid)
  left join pg_catalog.pg_roles r on r.oid = d.setrole
  cross join unnest(d.setconfig) as c (line)
  where d.setrole = 0 or r.oid is not null
$$;

-- Those that matter, where somebody has them so: by a line of their own, or else as this session has them from the files.
create or replace function sync._setting_faults()
returns table (area text, found text, remedy text)
language sql
stable
set search_path = ''
as $$
  with bad (name, value, area, effect) as (
    values
      ('synchronous_commit', '^(off|false|no|0)$', 'durability',
        'a crash loses the last commits that were answered, and each of these leaves its recording to a relay'),
      ('fsync', '^(off|false|no|0)$', 'durability', 'a crash of the machine may destroy the database'),
      ('full_page_writes', '^(off|false|no|0)$', 'durability', 'a crash of the machine may destroy the database'),
      ('idle_session_timeout', '[1-9]', 'timeouts', 'sessions of relays are ended, which LISTEN and connect anew each time'),
      ('statement_timeout', '^([1-9][0-9]{0,2}|[1-9][0-9]{0,2}ms)$', 'timeouts', 'less than a second: a fill or a large read is ended'),
      ('autovacuum', '^(off|false|no|0)$', 'vacuum', 'dead rows stay, and all grows slower'),
      ('track_counts', '^(off|false|no|0)$', 'vacuum', 'autovacuum does not know where dead rows are'),
      ('max_notify_queue_pages', '^([1-9][0-9]{0,3})$', 'queue', 'the NOTIFY queue is full after some MB: commits fail then')
  )
  select b.area, format('%s is %s%s: %s', b.name, s.value, coalesce(' for ' || s.of_role, ''), b.effect),
    s.alter_line || format(' reset %I;', b.name)
  from bad b
  join sync._settings() s on s.name = b.name and s.value ~* b.value
  union all
  select b.area, format('%s is %s: %s', b.name, p.setting, b.effect),
    case p.source
      when 'command line' then format('Start Postgres without its option %s.', b.name)
      else format('alter system reset %I; select pg_reload_conf();', b.name)
        || case when p.sourcefile !~ 'auto.conf$' then format('  -- or mend line %s of %s', p.sourceline, p.sourcefile) else '' end
        || case p.context when 'postmaster' then '  -- and restart' else '' end
    end
  from bad b
  join pg_catalog.pg_settings p on p.name = b.name and p.reset_val ~* b.value
    and p.source not in ('database', 'user', 'database user', 'session', 'client')
$$;

-- The server as a whole.
create or replace function sync._server_faults()
returns table (area text, state text, found text, remedy text)
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  -- sync._called_by_relays() comes in a later chapter.
  return query
  select 'version', case when v.n < 140000 then 'fail' else 'warn' end,
    format('Postgres %s: %s', current_setting('server_version'),
      case when v.n < 140000 then 'too old' else 'newer than what this Spacefeed was tried with' end),
    case when v.n < 140000 then 'Use Postgres 14 to 18.' else 'Look for a newer Spacefeed.' end
  from (select current_setting('server_version_num')::integer) as v (n)
  where v.n not between 140000 and 189999
  union all
  select f.area, 'warn', f.found, f.remedy
  from sync._setting_faults() f
  union all
  select 'connections', 'warn', format('%s more connections are to be had of %s, and a relay has up to 12', c.most - c.used, c.most),
    case
      when b.datconnlimit = c.most then format('alter database %I connection limit -1;', b.datname)
      else format('alter system set max_connections = %s;  -- and restart; or close some', c.most + 100)
    end
  from pg_catalog.pg_database b
  cross join lateral (
    select least(
      current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true)::integer, 0),
      nullif(b.datconnlimit, -1)) as most,
      (select sum(d.numbackends) from pg_catalog.pg_stat_database d where b.datconnlimit = -1 or d.datid = b.oid) as used
  ) as c
  where b.datname = current_database() and c.most - c.used < 12
  union all
  select 'wal', 'warn', format('nobody reads the replication slot %s: it keeps %s of WAL, and old rows of catalogs', s.slot_name,
      pg_size_pretty(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end,
        s.restart_lsn))),
    format('select pg_drop_replication_slot(%L);  -- unless its reader comes back', s.slot_name)
  from pg_catalog.pg_replication_slots s
  where not s.active and s.restart_lsn is not null

  -- What keeps dead rows from being removed.
  union all
  select 'vacuum', 'warn', format('%s has %s dead rows beside %s', s.relid::pg_catalog.regclass, s.n_dead_tup, s.n_live_tup),
    format('vacuum (analyze) %s;', s.relid::pg_catalog.regclass)
  from pg_catalog.pg_stat_all_tables s
  where s.schemaname = 'sync' and s.n_dead_tup > 100000 + s.n_live_tup
  union all
  select 'vacuum', 'warn', format('%s is not vacuumed by itself', c.oid::pg_catalog.regclass),
    format('alter table %s reset (autovacuum_enabled);', c.oid::pg_catalog.regclass)
  from pg_catalog.pg_class c
  where c.relnamespace = 'sync'::pg_catalog.regnamespace and array_to_string(c.reloptions, ' ') ~* 'autovacuum_enabled=(off|false|no|0)'
  union all
  select 'vacuum', 'warn', format('pid %s ("%s") is in a transaction since %s: rows that died since then stay', a.pid, a.application_name,
      to_char(a.xact_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')),
    format('select pg_terminate_backend(%s);', a.pid)
  from pg_catalog.pg_stat_activity a
  where a.xact_start < clock_timestamp() - interval '15 minutes' and (a.backend_xid is not null or a.backend_xmin is not null)
    and a.datname = current_database()
  union all
  select 'vacuum', 'warn', format('transaction %s was prepared at %s, and neither committed nor rolled back', p.gid, p.prepared),
    format('rollback prepared %L;  -- or commit prepared', p.gid)
  from pg_catalog.pg_prepared_xacts p
  where p.database = current_database() and p.prepared < clock_timestamp() - interval '15 minutes'

  -- Rights. What a relay calls it calls as a member of spacefeed_relay; the functions run as their owner.
  union all
  select 'rights', 'fail', 'everybody may use schema sync', 'revoke all on schema sync from public;'
  where has_schema_privilege('public', 'sync', 'usage')
  union all
  select 'rights', 'warn', 'there is no role spacefeed_relay: a relay has to be the owner',
    'spacefeed migrate up  -- as a role that may create roles'
  where not exists (select from pg_catalog.pg_roles r where r.rolname = 'spacefeed_relay')
  union all
  select 'rights', 'fail', 'spacefeed_relay may not use schema sync: no relay works that is no more than that role',
    'grant usage on schema sync to spacefeed_relay;'
  from pg_catalog.pg_roles r
  where r.rolname = 'spacefeed_relay' and not has_schema_privilege(r.oid, 'sync', 'usage')
  union all
  select 'rights', 'fail', 'spacefeed_relay may not read sync.migrations', 'grant select on sync.migrations to spacefeed_relay;'
  from pg_catalog.pg_roles r
  where r.rolname = 'spacefeed_relay' and to_regclass('sync.migrations') is not null
    and not has_table_privilege(r.oid, 'sync.migrations', 'select')
  union all
  select 'rights', 'fail', format('spacefeed_relay may not call %s: no relay works that is no more than that role',
      string_agg(p.oid::pg_catalog.regprocedure::pg_catalog.text, ', ' order by p.proname)),
    format('grant execute on function %s to spacefeed_relay;', string_agg(p.oid::pg_catalog.regprocedure::pg_catalog.text, ', ' order by p.proname))
  from pg_catalog.pg_roles r
  join pg_catalog.pg_proc p on p.oid = any (sync._called_by_relays()) and not has_function_privilege(r.oid, p.oid, 'execute')
  where r.rolname = 'spacefeed_relay'
  having count(*) > 0;
end
$$;
