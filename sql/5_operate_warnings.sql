-- Chapter 4, continued: the quiet troubles. What makes changes unseen or writes fail without a word in any log that a
-- relay has. It asks at its start and for /readyz; a DBA may, too. The catalogs tell all of them but one.

create or replace function sync.warnings()
returns table (
  code text,
  message text,
  remedy text
)
language plpgsql
stable
security definer
set search_path = ''
set lock_timeout = '400ms'  -- as in sync.snapshot()
as $$
declare
  next_number bigint;
  taken_number bigint;
begin
  -- The server.
  return query
  select
    'standby',
    'the database is a standby: nothing can be written',
    'select pg_promote();  -- or let DATABASE_URL name the primary'
  where pg_is_in_recovery();

  return query
  select
    'read_only',
    'default_transaction_read_only is on: nothing can be written',
    coalesce(
      string_agg(s.alter_line || ' reset default_transaction_read_only;', ' '),
      'alter system reset default_transaction_read_only; select pg_reload_conf();'
    )
  from sync._settings() s
  where s.setting ~* '^default_transaction_read_only=(on|true|yes|1)$'
    and (s.role_name is null or s.role_name = session_user)
  having count(*) > 0
    or current_setting('default_transaction_read_only')::boolean;

  return query
  select
    'encoding',
    'the database is SQL_ASCII: a row with bytes that are no UTF-8 cannot be sent, and its readers get errors',
    format('create database %I_utf8 template template0 encoding ''UTF8'';  -- and load a dump of this one into it',
      current_database())
  where getdatabaseencoding() = 'SQL_ASCII';

  -- The tables.
  return query
  select
    'table_missing',
    w.of_table || ' is not there: no message can be written or read',
    'drop schema sync cascade;  -- and then: spacefeed migrate up'
  from (select distinct t.of_table from sync._triggers() t) as w
  where to_regclass(w.of_table) is null;

  return query
  select
    'trigger_missing',
    format('%s lacks %s: what is written there is not seen%s', w.of_table, string_agg(w.name, ', ' order by w.name),
      (select format(' (%s has them)', string_agg(distinct t.tgrelid::pg_catalog.regclass::pg_catalog.text, ', '))
       from pg_catalog.pg_trigger t
       join pg_catalog.pg_proc p on p.oid = t.tgfoid
       where p.pronamespace = 'sync'::pg_catalog.regnamespace
         and t.tgname = min(w.name)
         and t.tgrelid not in (select to_regclass(o.of_table) from sync._triggers() o where to_regclass(o.of_table) is not null))),
    'spacefeed migrate up  -- and then, for what was written meanwhile: select sync.reset();'
  from sync._triggers() w
  where to_regclass(w.of_table) is not null
    and not exists (
      select
      from pg_catalog.pg_trigger t
      where t.tgname = w.name
        and t.tgrelid = to_regclass(w.of_table)
    )
  group by w.of_table;

  return query
  select
    'wire_function',
    format('%s is of a table that is not ours any more: what was replaced in it holds no longer', f.called),
    format('drop function %s;  -- after replacing that of %s in the same way', f.called, f.of_table)
  from (
    select p.oid::pg_catalog.regprocedure as called, w.of_table
    from (values ('being_json', 'public.beings'), ('intention_json', 'public.intentions')) as w (name, of_table)
    join pg_catalog.pg_proc p on p.proname = w.name and p.pronamespace = 'sync'::pg_catalog.regnamespace
    join pg_catalog.pg_type t on t.oid = p.proargtypes[0]
    where t.typrelid <> to_regclass(w.of_table)
  ) as f;

  return query
  select
    case t.tgenabled when 'D' then 'trigger_disabled' else 'trigger_replica' end,
    format('%s of %s %s: what is written there is not seen', string_agg(w.name, ', ' order by w.name), w.of_table,
      case t.tgenabled when 'D' then 'are disabled' else 'fire for replicated rows only' end),
    string_agg(format('alter table %s enable trigger %I;', w.of_table, w.name), ' ' order by w.name)
      || '  -- and then, for what was written meanwhile: select sync.reset();'
  from sync._triggers() w
  join pg_catalog.pg_trigger t on t.tgname = w.name and t.tgrelid = to_regclass(w.of_table)
  where t.tgenabled in ('D', 'R')
  group by w.of_table, t.tgenabled;

  return query
  select
    'replica_role',
    'session_replication_role is replica' || coalesce(' for ' || s.role_name, '') || ': what is written so is not seen',
    s.alter_line || ' reset session_replication_role;  -- and then: select sync.reset();'
  from sync._settings() s
  where s.setting ~* '^session_replication_role=replica$'
    and exists (
      select
      from sync._triggers() w
      join pg_catalog.pg_trigger t on t.tgname = w.name and t.tgrelid = to_regclass(w.of_table)
      where t.tgenabled <> 'A'
    );

  return query
  select
    'subscription',
    format('subscription %s brings rows of %s: what it applies is not seen', s.subname, string_agg(
      t.srrelid::pg_catalog.regclass::pg_catalog.text, ' and ')),
    'select sync.reset();  -- once more after what is applied later; or let relays use the database that it comes from'
  from pg_catalog.pg_subscription s
  join pg_catalog.pg_subscription_rel t on t.srsubid = s.oid
  where t.srrelid in (to_regclass('public.beings'), to_regclass('public.intentions'))
    and s.subenabled
  group by s.subname;

  return query
  select
    'child_table',
    format('%s inherits from %s: rows that are written to it are not seen', c.oid::pg_catalog.regclass, c.parent),
    format('alter table %s no inherit %s;  -- and then: select sync.reset();', c.oid::pg_catalog.regclass, c.parent)
  from (
    select k.oid, i.inhparent::pg_catalog.regclass as parent
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class k on k.oid = i.inhrelid
    where i.inhparent in (to_regclass('public.beings'), to_regclass('public.intentions'))
      and not k.relispartition
  ) as c;

  return query
  select
    'row_security',
    format('row-level security of %s holds for %s, too, which owns the functions: they read nothing of it, and fail',
      c.oid::pg_catalog.regclass, current_user),
    case
      when c.relforcerowsecurity and pg_has_role(c.relowner, 'usage') then
        format('alter table %s no force row level security;  -- or, as a superuser: alter role %I bypassrls;',
          c.oid::pg_catalog.regclass, current_user)
      else format('alter role %I bypassrls;', current_user)
    end
  from pg_catalog.pg_class c
  where c.oid in (to_regclass('public.beings'), to_regclass('public.intentions'))
    and row_security_active(c.oid);

  -- The relays' role.
  return query
  select
    'relay_schema',
    'spacefeed_relay may not use schema public: each write of a relay is refused',
    'grant usage on schema public to spacefeed_relay;'
  from pg_catalog.pg_roles r
  where r.rolname = 'spacefeed_relay'
    and not has_schema_privilege(r.oid, 'public', 'usage');

  return query
  select
    'relay_rights',
    format('spacefeed_relay lacks rights on %s: writes of a relay are refused', c.oid::pg_catalog.regclass),
    'spacefeed migrate up'
  from pg_catalog.pg_roles r
  cross join pg_catalog.pg_class c
  where r.rolname = 'spacefeed_relay'
    and c.oid in (to_regclass('public.beings'), to_regclass('public.intentions'))
    and not (
      has_table_privilege(r.oid, c.oid, 'delete')
      and (
        select bool_and(
          has_column_privilege(r.oid, c.oid, a.attnum, 'select')
          and has_column_privilege(r.oid, c.oid, a.attnum, 'insert')
          and (a.attname = 'id' or has_column_privilege(r.oid, c.oid, a.attnum, 'update'))
        )
        from pg_catalog.pg_attribute a
        where a.attrelid = c.oid
          and a.attname = any (
            case when c.oid = to_regclass('public.beings')
              then '{id,name,type,owner_id,location_id,metadata,properties,content}'
              else '{id,name,type,state,owner_id,location_id,content}'
            end::pg_catalog.text[]
          )
      )
    );

  -- The numbers of messages. The index has no order of numbers: so whether the next ones are taken, before they are met.
  begin
    select q.last_value + q.is_called::integer into next_number from sync.message_number q;
    select n.number
    into taken_number
    from generate_series(next_number, next_number + 255) as n (number)
    where (select true from public.intentions i where i.message_id = 'msg_' || n.number)
    limit 1;
    if found then
      return query select
        'message_sequence',
        format('the sequence of messages is at %s, and msg_%s is taken: inserts will fail', next_number, taken_number),
        'select setval(''sync.message_number'', (select max(substr(i.message_id, 5)::bigint) from public.intentions i));';
    end if;
  exception
    when lock_not_available or undefined_table then
      null;  -- a DBA is at work on the table; or it is not there, as is told above
  end;
end
$$;
comment on function sync.warnings() is
  'The quiet troubles of this database, mostly none: a row each, with what to run. Reads the catalogs, and no table whole.';


create or replace function sync._settings()
returns table (
  setting text,
  role_name text,
  alter_line text
)
language sql
stable
set search_path = ''
as $$
  select
    c.setting,
    r.rolname,
    case
      when r.oid is null then format('alter database %I', current_database())
      when d.setdatabase = 0 then format('alter role %I', r.rolname)
      else format('alter role %I in database %I', r.rolname, current_database())
    end
  from pg_catalog.pg_db_role_setting d
  join pg_catalog.pg_database b on b.datname = current_database() and d.setdatabase in (0, b.oid)
  left join pg_catalog.pg_roles r on r.oid = d.setrole
  cross join unnest(d.setconfig) as c (setting)
  where d.setrole = 0 or r.oid is not null
$$;
comment on function sync._settings() is 'What is set for this database and for roles in it: name=value, the role, and the line that begins its reset.';
