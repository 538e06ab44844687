-- Chapter 5, continued: everything that may be wrong, a row each, and what to run. Those with a code make changes unseen or
-- writes fail without a word in any log that a relay has: it asks for them at its start and for /readyz. is_whole: all others, too.
create or replace function sync._faults(is_whole boolean)
returns table (area text, state text, code text, found text, remedy text)
language plpgsql
stable
set search_path = ''
set lock_timeout = '400ms'  -- as in sync.snapshot()
as $$
begin
  return query
  with ours as (
    select k.*, to_regclass(k.of_table) as oid, (
        select array_agg(w.name order by w.n)
        from unnest(array[k.id_column] || k.space_columns || k.columns || array[k.sorted_by, k.label_column, k.stamp_column, k.owner_column])
          with ordinality as w (name, n)
        where w.name is not null and not exists (
          select from pg_catalog.pg_attribute a where a.attrelid = to_regclass(k.of_table) and a.attname = w.name)
      ) as gone
    from sync.tracked k
  ), there as (
    select w.name, w.of_table, t.tgenabled as enabled  -- null: it is not
    from sync._triggers() w
    left join pg_catalog.pg_trigger t on t.tgname = w.name and t.tgrelid = w.of_table
  ), setting as (
    -- What a role, or all in this database, have set for themselves.
    select split_part(c.line, '=', 1) as name, substr(c.line, strpos(c.line, '=') + 1) as value, r.rolname as of_role, false as is_of_all,
      format('alter %s reset %I;', concat_ws(' in ', 'role ' || quote_ident(r.rolname),
        'database ' || quote_ident(case when d.setdatabase <> 0 then b.datname end)), split_part(c.line, '=', 1)) as remedy
    from pg_catalog.pg_db_role_setting d
    join pg_catalog.pg_database b on b.datname = current_database() and d.setdatabase in (0, b.oid)
    left join pg_catalog.pg_roles r on r.oid = d.setrole
    cross join unnest(d.setconfig) as c (line)
    where d.setrole = 0 or r.oid is not null
    union all
    select p.name, p.reset_val, null, true, case p.source
        when 'command line' then format('Start Postgres without its option %s.', p.name)
        else format('alter system reset %I; select pg_reload_conf();', p.name)
          || case when p.sourcefile !~ 'auto.conf$' then format('  -- or mend line %s of %s', p.sourceline, p.sourcefile) else '' end
          || case p.context when 'postmaster' then '  -- and restart' else '' end
      end
    from pg_catalog.pg_settings p
    where (is_whole or current_setting('default_transaction_read_only')::boolean)
      and p.source not in ('database', 'user', 'database user', 'session', 'client')
  ), bad_setting (name, value, area, effect) as (
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
  ), own_index (name, of_table, definition) as (
    values
      ('changes_pkey', 'sync.changes', 'alter table sync.changes add constraint changes_pkey primary key (entity_id, entity_type, space_id);'),
      ('changes_space_id_version_idx', 'sync.changes', 'create index changes_space_id_version_idx on sync.changes (space_id, version);'),
      ('changes_deleted_at_idx', 'sync.changes',
        'create index changes_deleted_at_idx on sync.changes (deleted_at) where deleted_at is not null;'),
      ('spaces_pkey', 'sync.spaces', 'alter table sync.spaces add constraint spaces_pkey primary key (space_id);'),
      ('notes_xid_idx', 'sync.notes', 'create index notes_xid_idx on sync.notes (xid);')
  )

  select 'writable', 'fail', 'standby', 'the database is a standby: nothing can be written',
    'select pg_promote();  -- or let DATABASE_URL name the primary'
  where pg_is_in_recovery()
  union all
  select 'writable', 'fail', 'read_only', 'default_transaction_read_only is on: nothing can be written',
    coalesce(string_agg(s.remedy, ' ' order by s.is_of_all), 'reset default_transaction_read_only;')
  from setting s
  where s.name = 'default_transaction_read_only' and s.value ~* '^(on|true|yes|1)$' and coalesce(s.of_role, session_user) = session_user
  having count(*) filter (where not s.is_of_all) > 0 or current_setting('default_transaction_read_only')::boolean
  union all
  select 'writable', 'fail', 'encoding', 'the database is SQL_ASCII: a row with bytes that are no UTF-8 cannot be sent, and its readers get errors',
    format('create database %I_utf8 template template0 encoding ''UTF8'';  -- and load a dump of this one into it', current_database())
  where getdatabaseencoding() = 'SQL_ASCII'
  union all
  select 'tables', 'fail', 'table_missing', o.of_table || ' is not there any more',
    format('select sync.untrack(%L);  -- or restore a backup', o.entity_type)
  from ours o
  where o.oid is null
  union all
  select 'triggers', 'fail', 'trigger_missing', format('%s lacks %s: what is written there is not seen%s', w.of_table,
      string_agg(w.name, ', ' order by w.name), (
        select format(' (%s has them)', string_agg(distinct t.tgrelid::pg_catalog.regclass::pg_catalog.text, ', '))
        from pg_catalog.pg_trigger t
        join pg_catalog.pg_proc p on p.oid = t.tgfoid and p.pronamespace = 'sync'::pg_catalog.regnamespace
        where t.tgname = min(w.name) and not exists (select from there h where h.of_table = t.tgrelid)
        having count(*) > 0)),
    'spacefeed migrate up  -- and then, for what was written meanwhile: select sync.reset();'
  from there w
  where w.enabled is null
  group by w.of_table
  union all
  select 'triggers', 'fail', case w.enabled when 'D' then 'trigger_disabled' else 'trigger_replica' end,
    format('%s of %s %s: what is written there is not seen', string_agg(w.name, ', ' order by w.name), w.of_table,
      case w.enabled when 'D' then 'are disabled' else 'fire for replicated rows only' end),
    string_agg(format('alter table %s enable trigger %I;', w.of_table, w.name), ' ' order by w.name)
      || '  -- and then, for what was written meanwhile: select sync.reset();'
  from there w
  where w.enabled in ('D', 'R')
  group by w.of_table, w.enabled
  union all
  select 'triggers', 'fail', 'replica_role',
    'session_replication_role is replica' || coalesce(' for ' || s.of_role, '') || ': what is written so is not seen',
    s.remedy || '  -- and then: select sync.reset();'
  from setting s
  where s.name = 'session_replication_role' and s.value ~* '^replica$' and exists (select from there w where w.enabled <> 'A')
  union all
  select 'tables', 'warn', 'wire_function',
    format('%s is of a table that is not ours any more: what was replaced in it holds no longer', p.oid::pg_catalog.regprocedure),
    format('drop function %s;  -- after replacing that of %s in the same way', p.oid::pg_catalog.regprocedure, o.of_table)
  from ours o
  join pg_catalog.pg_proc p on p.proname = o.entity_type || '_json' and p.pronamespace = 'sync'::pg_catalog.regnamespace
  join pg_catalog.pg_type t on t.oid = p.proargtypes[0] and t.typrelid <> o.oid
  union all
  select 'tables', 'warn', 'subscription', format('subscription %s brings rows of %s: what it applies is not seen', s.subname,
      string_agg(o.of_table, ' and ')),
    'select sync.reset();  -- once more after what is applied later; or let relays use the database that it comes from'
  from pg_catalog.pg_subscription s
  join pg_catalog.pg_subscription_rel t on t.srsubid = s.oid and s.subenabled
  join ours o on o.oid = t.srrelid
  group by s.subname
  union all
  select 'row_security', 'fail', 'row_security', format('row-level security of %s holds for %s, too, which owns the functions: they read nothing of it, '
      'and fail', o.of_table, current_user),
    case when c.relforcerowsecurity and pg_has_role(c.relowner, 'usage')
      then format('alter table %s no force row level security;  -- or, as a superuser: ', o.of_table) else '' end
      || format('alter role %I bypassrls;', current_user)
  from ours o
  join pg_catalog.pg_class c on c.oid = o.oid and row_security_active(c.oid)

  -- The server, and its settings.
  union all
  select 'version', case when v.n < 140000 then 'fail' else 'warn' end, null,
    format('Postgres %s is not one of 14 to 18, which this Spacefeed was tried with', current_setting('server_version')),
    'Use one of these, or look for a newer Spacefeed.'
  from (select current_setting('server_version_num')::integer) as v (n)
  where is_whole and v.n not between 140000 and 189999
  union all
  select b.area, 'warn', null, format('%s is %s%s: %s', b.name, s.value, coalesce(' for ' || s.of_role, ''), b.effect), s.remedy
  from bad_setting b
  join setting s on s.name = b.name and s.value ~* b.value
  where is_whole
  union all
  select 'connections', 'warn', null, format('%s more connections are to be had of %s, and a relay has up to 12', c.most - c.used, c.most),
    case when b.datconnlimit = c.most then format('alter database %I connection limit -1;', b.datname)
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
  where is_whole and b.datname = current_database() and c.most - c.used < 12
  union all
  select 'wal', 'warn', null, format('nobody reads the replication slot %s: it keeps %s of WAL, and old rows of catalogs', s.slot_name,
      pg_size_pretty(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end,
        s.restart_lsn))),
    format('select pg_drop_replication_slot(%L);  -- unless its reader comes back', s.slot_name)
  from pg_catalog.pg_replication_slots s
  where is_whole and not s.active and s.restart_lsn is not null

  -- What keeps dead rows from being removed.
  union all
  select 'vacuum', 'warn', null, format('%s has %s dead rows beside %s', s.relid::pg_catalog.regclass, s.n_dead_tup, s.n_live_tup),
    format('vacuum (analyze) %s;', s.relid::pg_catalog.regclass)
  from pg_catalog.pg_stat_all_tables s
  where is_whole and s.schemaname = 'sync' and s.n_dead_tup > 100000 + s.n_live_tup
  union all
  select 'vacuum', 'warn', null, format('%s is not vacuumed by itself', c.oid::pg_catalog.regclass),
    format('alter table %s reset (autovacuum_enabled);', c.oid::pg_catalog.regclass)
  from pg_catalog.pg_class c
  where is_whole and c.relnamespace = 'sync'::pg_catalog.regnamespace
    and array_to_string(c.reloptions, ' ') ~* 'autovacuum_enabled=(off|false|no|0)'
  union all
  select 'vacuum', 'warn', null, format('pid %s ("%s") is in a transaction since %s: rows that died since then stay', a.pid, a.application_name,
      to_char(a.xact_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')),
    format('select pg_terminate_backend(%s);', a.pid)
  from pg_catalog.pg_stat_activity a
  where is_whole and a.xact_start < clock_timestamp() - interval '15 minutes' and (a.backend_xid is not null or a.backend_xmin is not null)
    and a.datname = current_database()
  union all
  select 'vacuum', 'warn', null, format('transaction %s was prepared at %s, and neither committed nor rolled back', p.gid, p.prepared),
    format('rollback prepared %L;  -- or commit prepared', p.gid)
  from pg_catalog.pg_prepared_xacts p
  where is_whole and p.database = current_database() and p.prepared < clock_timestamp() - interval '15 minutes'

  -- Rights. What a relay calls it calls as a member of spacefeed_relay; the functions run as their owner.
  union all
  select 'rights', c.state, null, c.found, c.remedy
  from (
    select to_regrole('spacefeed_relay') as relay, string_agg(f.called::pg_catalog.text, ', ' order by f.called::pg_catalog.text) as closed
    from unnest(sync._called_by_relays()) as f (called)
    where not has_function_privilege(to_regrole('spacefeed_relay'), f.called, 'execute')
  ) as r
  cross join lateral (
    values
      (has_schema_privilege('public', 'sync', 'usage'), 'fail', 'everybody may use schema sync', 'revoke all on schema sync from public;'),
      (r.relay is null, 'warn', 'there is no role spacefeed_relay: a relay has to be the owner',
        'spacefeed migrate up  -- as a role that may create roles'),
      (not has_schema_privilege(r.relay, 'sync', 'usage'), 'fail', 'spacefeed_relay may not use schema sync',
        'grant usage on schema sync to spacefeed_relay;'),
      (not has_table_privilege(r.relay, to_regclass('sync.migrations'), 'select'), 'fail', 'spacefeed_relay may not read sync.migrations',
        'grant select on sync.migrations to spacefeed_relay;'),
      (r.closed is not null, 'fail', format('spacefeed_relay may not call %s: no relay works that is no more than that role', r.closed),
        format('grant execute on function %s to spacefeed_relay;', r.closed))
  ) as c (is_wrong, state, found, remedy)
  where is_whole and c.is_wrong
  union all
  select 'rights', 'fail', null, format('%s, who owns Spacefeed, may not %s %s: it is neither read nor recorded', current_user,
      string_agg(p.name, ', ' order by p.n), o.of_table),
    format('grant %s on %s to %I;', string_agg(p.name, ', ' order by p.n), o.of_table, current_user)
  from ours o
  cross join (values (1, 'select'), (2, 'insert'), (3, 'update'), (4, 'delete')) as p (n, name)
  where is_whole and (p.n = 1 or o.writable <> '{}') and not has_table_privilege(current_user, o.oid, p.name)
  group by o.of_table

  -- The tables, those that are tracked and our own. A list of a space, and each row that leaves it, is looked up by an index.
  union all
  select 'tables', 'fail', null, format('%s has no column %s any more: each write to it fails', o.of_table,
      (select string_agg(quote_ident(g.name), ', ') from unnest(o.gone) as g (name))),
    case
      when o.listed_as is not null then 'alter table … add column …;  -- as it was, in a backup'
      when array[o.id_column] || o.space_columns && o.gone then format('select sync.untrack(%L);  -- and track it anew', o.entity_type)
      else format('select sync.track(%L, spaces => %L, columns => %L, name => %L, writable => %L, sorted_by => %L, stamp => %L, owner => %L);',
        o.of_table, o.space_columns, array(select c.name from unnest(o.columns) as c (name) where c.name <> all (o.gone)),
        o.entity_type, o.writable <> '{}', case when o.sorted_by <> all (o.gone) then o.sorted_by end,
        case when o.stamp_column <> all (o.gone) then o.stamp_column end, case when o.owner_column <> all (o.gone) then o.owner_column end)
    end
  from ours o
  where is_whole and o.oid is not null and o.gone is not null
  union all
  select 'indexes', 'fail', null, format('%s has no primary key of %s any more: each change reads it whole', o.of_table, o.id_column),
    format('alter table %s add primary key (%I);', o.of_table, o.id_column)
  from ours o
  where is_whole and o.id_column <> all (coalesce(o.gone, '{}')) and not exists (
    select
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = o.oid and a.attname = o.id_column and i.indisunique and i.indisvalid and i.indnkeyatts = 1 and i.indpred is null)
  union all
  select 'indexes', 'warn', null, format('%s has no index on %I: each list of a space reads it whole', o.of_table, u.name), u.statement
  from ours o
  cross join lateral sync._unindexed(o.oid, o.space_columns) u
  where is_whole and u.name <> all (coalesce(o.gone, '{}'))
  union all
  select 'indexes', 'fail', null, case when c.oid is null
      then format('%s has no %s: each recording reads it whole', w.of_table, w.name)
      else format('%s of %s is not valid, and not used', w.name, w.of_table)
    end, case when c.oid is null then w.definition else format('reindex index %s;', c.oid::pg_catalog.regclass) end
  from own_index w
  left join pg_catalog.pg_class c on c.relname = w.name and c.relnamespace = 'sync'::pg_catalog.regnamespace
  left join pg_catalog.pg_index i on i.indexrelid = c.oid
  where is_whole and i.indisvalid is not true
  union all
  select 'filling', 'warn', null, format('%s is filled up to %s: the rows after it, that were there when it was tracked, are not seen yet',
      o.entity_type, coalesce(nullif(o.filled_to, ''), 'none')),
    format('call sync.fill(%L);', o.entity_type)
  from ours o
  where is_whole and o.oid is not null and o.filled_to is not null;

  -- The numbers of messages. The index has no order of numbers: so whether the next ones are taken, before they are met.
  begin
    return query
    select 'sequences', 'fail', 'message_sequence',
      format('the sequence of messages is at %s, and msg_%s is taken: inserts will fail', q.next, n.number),
      'select setval(''sync.message_number'', (select max(substr(i.message_id, 5)::bigint) from public.intentions i));'
    from (select m.last_value + m.is_called::integer as next from sync.message_number m) as q
    cross join generate_series(q.next, q.next + 255) as n (number)
    where (select true from public.intentions i where i.message_id = 'msg_' || n.number)
    limit 1;
  exception when lock_not_available or undefined_table then
    null;  -- a DBA is at work on the table; or it is not there, as is told above
  end;
end
$$;

create or replace function sync.warnings()
returns table (code text, message text, remedy text)
language sql
stable
security definer
set search_path = ''
as $$ select f.code, f.found, f.remedy from sync._faults(false) f $$;
comment on function sync.warnings() is
  'The quiet troubles of this database, mostly none: a row each, with what to run. Reads the catalogs, and no table whole.';
