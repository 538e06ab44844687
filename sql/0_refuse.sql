-- Before anything is made: where Spacefeed cannot be, it says so, and what to run. This, the migrations and the chapters
-- are one transaction, so that of what is refused later nothing is left either.

do $$
declare
  is_there boolean := false;
  gone pg_catalog.text;
begin
  if to_regclass('sync.migrations') is not null then
    if (
      select count(*)
      from pg_catalog.pg_attribute a
      where a.attrelid = to_regclass('sync.migrations') and a.attname in ('id', 'name', 'run_on') and not a.attisdropped
    ) < 3 or (
      select not bool_or(to_jsonb(m) ->> 'name' = '0001_spacefeed') from sync.migrations m
    ) then
      raise exception 'sync.migrations is there already, and is not this Spacefeed''s'
        using errcode = 'duplicate_table',
              hint = 'Rename that schema, or take another database: Spacefeed needs schema sync for itself. '
                'If it is from before the first release, drop it and both tables.';
    end if;
    is_there := (select count(*) > 0 from sync.migrations);
  end if;

  gone := (
    select string_agg(t.name, ' and ')
    from unnest(array['public.beings', 'public.intentions']) as t (name)
    where to_regclass(t.name) is null
  );
  if is_there and gone is not null then
    raise exception '% not there any more, while schema sync still is', gone || case when gone ~ ' ' then ' are' else ' is' end
      using errcode = 'undefined_table',
            hint = 'Restore a backup. Or, to begin anew with nothing, run "create schema if not exists public; '
              'drop schema sync cascade; drop table if exists public.beings, public.intentions cascade", and migrate again.';
  end if;

  if not is_there and getdatabaseencoding() = 'SQL_ASCII' then
    raise exception 'the database is SQL_ASCII: it takes bytes that are no text, and no reader could be sent them'
      using errcode = 'feature_not_supported',
            hint = 'Make one with "create database … template template0 encoding ''UTF8''", and migrate that.';
  end if;
end
$$;
