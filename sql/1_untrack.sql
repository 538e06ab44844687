-- Chapter 1, continued: how a table is left as it was, and how all who have rows of it take them anew.

create or replace function sync.refresh(of_type text)
returns bigint
language sql
security definer
set search_path = ''
as $$
  -- As TRUNCATE notes it: the floor of each space is raised, which sends its readers to the snapshot.
  with noted as (
    insert into sync.notes (space_id, entity_type, entity_ids)
    select distinct c.space_id, of_type, '{}'::pg_catalog.text[]
    from sync.changes c
    where c.entity_type = of_type and c.deleted_at is null
    returning 1
  )
  select count(*) from noted
$$;
comment on function sync.refresh(text) is
  'Has those who have rows of a type take their space anew: after its wire function was replaced. Returns how many spaces it were.';

-- Drops what is recorded of a type, and what waits to be. As TRUNCATE notes it: who has been away has to hear of it, too.
-- The spaces first, as in sync.prune() and sync.rebuild().
create or replace function sync._forget(of_type text)
returns void
language sql
set search_path = ''
as $$
  select from sync.spaces s
  where s.space_id in (
    select c.space_id from sync.changes c where c.entity_type = of_type
    union
    select n.space_id from sync.notes n where n.entity_type = of_type)
  order by s.space_id
  for no key update;
  with notes as (
    delete from sync.notes n where n.entity_type = of_type and n.entity_ids <> '{}' returning n.space_id
  ), changes as (
    delete from sync.changes c where c.entity_type = of_type returning c.space_id
  )
  insert into sync.notes (space_id, entity_type, entity_ids)
  select g.space_id, of_type, '{}'::pg_catalog.text[]
  from (select n.space_id from notes n union select c.space_id from changes c) as g;
$$;

create or replace function sync.untrack(of_type text)
returns text
language plpgsql
set search_path = ''
as $$
declare
  k constant sync.tracked := sync._tracked(of_type, 'untrack', true);
  drops pg_catalog.text;
begin
  -- All that takes long comes before the lock on the table.
  perform sync._forget(of_type);
  delete from sync.tracked t where t.entity_type = of_type;
  perform sync._write();
  set constraints sync.spacefeed_commit immediate;
  perform sync._lock(to_regclass(k.of_table), 'access exclusive');
  perform sync._forget(of_type);  -- of those who wrote meanwhile
  select string_agg(d.statement, '; ') into drops
  from (
    select format('drop trigger %I on %s', t.tgname, r.oid)
    from sync._relations(to_regclass(k.of_table)) r
    join pg_catalog.pg_trigger t on t.tgrelid = r.oid and not t.tgisinternal
    join pg_catalog.pg_proc p on p.oid = t.tgfoid and p.pronamespace = 'sync'::pg_catalog.regnamespace
    union all
    select format('drop function %s', p.oid::pg_catalog.regprocedure)
    from pg_catalog.pg_proc p
    where p.pronamespace = 'sync'::pg_catalog.regnamespace and p.proname in ('_note_' || of_type, of_type || '_json')
  ) as d (statement);
  execute drops;
  return format('%s is as it was before it was tracked.', k.of_table);
end
$$;
comment on function sync.untrack(text) is
  'Takes everything of Spacefeed off a table: its triggers, its wire function, what is recorded of it. Clients lose its rows.';
