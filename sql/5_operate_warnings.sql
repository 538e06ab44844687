-- Chapter 5, continued: the quiet troubles. What makes changes unseen or writes fail without a word in any log that a
-- relay has. It asks at its start and for /readyz; a DBA may, too. The catalogs tell all of them but one.

create or replace function sync.warnings()
returns table (code text, message text, remedy text)
language plpgsql
stable
security definer
set search_path = ''
set lock_timeout = '400ms'  -- as in sync.snapshot()
as $$
begin
  return query
  with ours as (
    select k.entity_type, k.of_table, to_regclass(k.of_table) as oid from sync.tracked k
  ), there as (
    select w.name, w.of_table, t.tgenabled as enabled  -- null: it is not
    from sync._triggers() w
    left join pg_catalog.pg_trigger t on t.tgname = w.name and t.tgrelid = w.of_table
  ), setting as (
    select s.name || '=' || s.value as line, s.of_role, s.alter_line from sync._settings() s
  )
  select 'standby', 'the database is a standby: nothing can be written',
    'select pg_promote();  -- or let DATABASE_URL name the primary'
  where pg_is_in_recovery()
  union all
  select 'read_only', 'default_transaction_read_only is on: nothing can be written', coalesce(
    string_agg(s.alter_line || ' reset default_transaction_read_only;', ' '),
    'alter system reset default_transaction_read_only; select pg_reload_conf();')
  from setting s
  where s.line ~* '^default_transaction_read_only=(on|true|yes|1)$' and coalesce(s.of_role, session_user) = session_user
  having count(*) > 0 or current_setting('default_transaction_read_only')::boolean
  union all
  select 'encoding', 'the database is SQL_ASCII: a row with bytes that are no UTF-8 cannot be sent, and its readers get errors',
    format('create database %I_utf8 template template0 encoding ''UTF8'';  -- and load a dump of this one into it',
      current_database())
  where getdatabaseencoding() = 'SQL_ASCII'

  -- The tables.
  union all
  select 'table_missing', o.of_table || ' is not there any more',
    format('select sync.untrack(%L);  -- or restore a backup', o.entity_type)
  from ours o
  where o.oid is null
  union all
  select 'trigger_missing', format('%s lacks %s: what is written there is not seen%s', w.of_table,
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
  select 'wire_function', format('%s is of a table that is not ours any more: what was replaced in it holds no longer', f.called),
    format('drop function %s;  -- after replacing that of %s in the same way', f.called, f.of_table)
  from (
    select p.oid::pg_catalog.regprocedure as called, o.of_table
    from ours o
    join pg_catalog.pg_proc p on p.proname = o.entity_type || '_json' and p.pronamespace = 'sync'::pg_catalog.regnamespace
    join pg_catalog.pg_type t on t.oid = p.proargtypes[0] and t.typrelid <> o.oid
  ) as f
  union all
  select case w.enabled when 'D' then 'trigger_disabled' else 'trigger_replica' end,
    format('%s of %s %s: what is written there is not seen', string_agg(w.name, ', ' order by w.name), w.of_table,
      case w.enabled when 'D' then 'are disabled' else 'fire for replicated rows only' end),
    string_agg(format('alter table %s enable trigger %I;', w.of_table, w.name), ' ' order by w.name)
      || '  -- and then, for what was written meanwhile: select sync.reset();'
  from there w
  where w.enabled in ('D', 'R')
  group by w.of_table, w.enabled
  union all
  select 'replica_role',
    'session_replication_role is replica' || coalesce(' for ' || s.of_role, '') || ': what is written so is not seen',
    s.alter_line || ' reset session_replication_role;  -- and then: select sync.reset();'
  from setting s
  where s.line ~* '^session_replication_role=replica$' and exists (select from there w where w.enabled <> 'A')
  union all
  select 'subscription', format('subscription %s brings rows of %s: what it applies is not seen', s.subname,
      string_agg(o.of_table, ' and ')),
    'select sync.reset();  -- once more after what is applied later; or let relays use the database that it comes from'
  from pg_catalog.pg_subscription s
  join pg_catalog.pg_subscription_rel t on t.srsubid = s.oid and s.subenabled
  join ours o on o.oid = t.srrelid
  group by s.subname
  union all
  select 'row_security', format('row-level security of %s holds for %s, too, which owns the functions: they read nothing of it, '
      'and fail', o.of_table, current_user),
    case when c.relforcerowsecurity and pg_has_role(c.relowner, 'usage') then
        format('alter table %s no force row level security;  -- or, as a superuser: ', o.of_table) else '' end
      || format('alter role %I bypassrls;', current_user)
  from ours o
  join pg_catalog.pg_class c on c.oid = o.oid and row_security_active(c.oid);

  -- The numbers of messages. The index has no order of numbers: so whether the next ones are taken, before they are met.
  begin
    return query
    select 'message_sequence', format('the sequence of messages is at %s, and msg_%s is taken: inserts will fail', q.next, n.number),
      'select setval(''sync.message_number'', (select max(substr(i.message_id, 5)::bigint) from public.intentions i));'
    from (select m.last_value + m.is_called::integer as next from sync.message_number m) as q
    cross join generate_series(q.next, q.next + 255) as n (number)
    where (select true from public.intentions i where i.message_id = 'msg_' || n.number)
    limit 1;
  exception
    when lock_not_available or undefined_table then
      null;  -- a DBA is at work on the table; or it is not there, as is told above
  end;
end
$$;
comment on function sync.warnings() is
  'The quiet troubles of this database, mostly none: a row each, with what to run. Reads the catalogs, and no table whole.';
