-- Before anything is made: where Spacefeed cannot be, it says so, and what to run. This, the migrations and the chapters
-- are one transaction, so that of what is refused later nothing is left either.

do $$
declare
  is_there boolean := to_regclass('sync.migrations') is not null;
  gone pg_catalog.text;
  ours pg_catalog.text[] := '{public.beings,public.intentions}';
begin
  if is_there then
    select bool_or(to_jsonb(m) ->> 'name' = '0001_spacefeed') into is_there from sync.migrations m;
    if not is_there or (select count(*) from pg_catalog.pg_attribute a
      where a.attrelid = to_regclass('sync.migrations') and a.attname in ('id', 'name', 'run_on')) < 3
    then
      raise exception 'sync.migrations is there already, and is not this Spacefeed''s'
        using errcode = 'duplicate_table', hint = 'Rename that schema, or take another database: Spacefeed needs '
          'schema sync for itself. If it is from before the first release, drop it and both tables.';
    end if;
  end if;
  if is_there is not true and getdatabaseencoding() = 'SQL_ASCII' then
    raise exception 'the database is SQL_ASCII: it takes bytes that are no text, and no reader could be sent them'
      using errcode = 'feature_not_supported',
        hint = 'Make one with "create database … template template0 encoding ''UTF8''", and migrate that.';
  end if;
  if is_there and to_regclass('sync.tracked') is not null then  -- others may have their names
    ours := array(select k.of_table from sync.tracked k where k.of_table = any (ours));
  end if;
  select string_agg(t.name, ' and ') || case count(*) when 1 then ' is' else ' are' end
  into gone
  from unnest(ours) as t (name)
  where is_there and to_regclass(t.name) is null;
  if gone is not null then
    raise exception '% not there any more, while schema sync still is', gone
      using errcode = 'undefined_table', hint = 'Restore a backup. Or, to begin anew with nothing, run "create schema if '
        'not exists public; drop schema sync cascade; drop table if exists public.beings, public.intentions cascade", '
        'and migrate again.';
  end if;
end
$$;
