-- Chapter 6: the triggers. What ties the functions to the tables: before a row is written it is completed,
-- after a statement it is noted, and at commit recorded. The last one sits on sync.notes, so that whatever is
-- noted has its turn after it, also where set constraints all immediate makes the two of one statement. Creating a
-- trigger locks its table, so that one which is there is left alone; a migration that changes one drops it first.
-- A WHEN is for what is short: Postgres parses it anew for each statement.

-- A table, its partitions, and those that inherit from it: a statement fires the triggers of the one that it names.
create or replace function sync._relations(of_table regclass)
returns table (oid regclass)
language sql
stable
set search_path = ''
as $$
  with recursive family as (
    select of_table::pg_catalog.oid as oid, 0 as depth
    union
    select i.inhrelid, f.depth + 1 from pg_catalog.pg_inherits i join family f on f.oid = i.inhparent
  )
  select c.oid::pg_catalog.regclass
  from family f
  join pg_catalog.pg_class c on c.oid = f.oid and c.relkind in ('r', 'p')
  group by c.oid
  order by min(f.depth), c.oid
$$;

-- The triggers that there have to be.
create or replace function sync._triggers()
returns table (root regclass, name text, of_table regclass, statement text)
language sql
stable
set search_path = ''
as $$
  select to_regclass(k.of_table), t.name, r.oid, format('create trigger %I %s on %s %s execute function sync.%I(%L)',
    t.name, t.fires, r.oid, t.how, coalesce(t.calls, '_note_' || k.entity_type), k.entity_type)
  from sync.tracked k
  cross join lateral sync._relations(to_regclass(k.of_table)) r
  join (
    values
      ('spacefeed_place', 'public.beings', 'before insert', 'for each row when (new.type = ''space'' and new.location_id is null)', '_complete'),
      ('spacefeed_name', 'public.intentions', 'before insert', 'for each row', '_complete'),
      ('zz_spacefeed_stamp', 'public.beings', 'before update', 'for each row', '_complete'),
      ('zz_spacefeed_stamp', 'public.intentions', 'before update', 'for each row', '_complete'),
      ('spacefeed_note_insert', null, 'after insert', 'referencing new table as touched_rows', null),
      ('spacefeed_note_update', null, 'after update', 'referencing old table as old_rows new table as new_rows', null),
      ('spacefeed_note_delete', null, 'after delete', 'referencing old table as touched_rows', null),
      ('spacefeed_note_truncate', null, 'after truncate', '', '_note_emptied')
  ) as t (name, only_of, fires, how, calls) on t.only_of is null or r.oid = to_regclass(t.only_of)
  union all
  values
    ('sync.notes'::pg_catalog.regclass, 'spacefeed_commit', 'sync.notes'::pg_catalog.regclass, 'create constraint trigger spacefeed_commit after insert on sync.notes '
      'deferrable initially deferred for each row execute function sync._commit()')
$$;

-- Locks a table and then its partitions, as writers do; all or none. A try takes 100 ms at most in all: no longer do those
-- wait who come behind it.
create or replace function sync._lock(of_table regclass, mode text)
returns void
language plpgsql
set search_path = ''
set lock_timeout = '100ms'
as $$
declare
  one pg_catalog.regclass;
  until timestamp with time zone;
begin
  for n in 1 .. 200 loop
    until := clock_timestamp() + interval '100 ms';
    begin
      for one in select r.oid from sync._relations(of_table) r loop
        perform set_config('lock_timeout',
          greatest(ceil(extract(epoch from until - clock_timestamp()) * 1000), 1)::pg_catalog.text, true);
        execute format('lock table only %s in %s mode', one, mode);
      end loop;
      return;
    exception when lock_not_available then
      if n = 200 then
        raise exception 'no lock on % was to be had in % tries: a transaction has it', coalesce(one, of_table), n
          using errcode = 'lock_not_available', hint = 'Nothing was changed. See pg_stat_activity for old transactions, and try again.';
      end if;
    end;
    perform pg_sleep(0.05 + random() / 4);
  end loop;
end
$$;

-- The triggers that are missing.
create or replace function sync._tie()
returns void
language plpgsql
set search_path = ''
as $$
declare
  missing pg_catalog.record;
begin
  for missing in
    select w.root, string_agg(w.statement, '; ') as statements
    from sync._triggers() w
    where not exists (select from pg_catalog.pg_trigger t where t.tgname = w.name and t.tgrelid = w.of_table)
    group by w.root
    order by w.root::pg_catalog.text
  loop
    perform sync._lock(missing.root, 'share row exclusive');
    execute missing.statements;
  end loop;
end
$$;

select sync._tie();
