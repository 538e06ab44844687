-- Chapter 5, continued: what of the tables, those that are tracked and our own, sync.checks() finds to be wrong.

create or replace function sync._table_faults()
returns table (area text, state text, found text, remedy text)
language sql
stable
security definer
set search_path = ''
as $$
  with ours as (
    select k.*, c.oid, c.relkind, (
        select array_agg(w.name order by w.n)
        from unnest(array[k.id_column] || k.space_columns || k.columns || array[k.sorted_by, k.label_column, k.stamp_column, k.owner_column])
          with ordinality as w (name, n)
        where w.name is not null and not exists (
          select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = w.name and a.attnum > 0 and not a.attisdropped)
      ) as gone
    from sync.tracked k
    join pg_catalog.pg_class c on c.oid = to_regclass(k.of_table)
  ), own_index (name, of_table, definition) as (
    values
      ('changes_pkey', 'sync.changes', 'alter table sync.changes add constraint changes_pkey primary key (entity_id, entity_type, space_id);'),
      ('changes_space_id_version_idx', 'sync.changes', 'create index changes_space_id_version_idx on sync.changes (space_id, version);'),
      ('changes_deleted_at_idx', 'sync.changes',
        'create index changes_deleted_at_idx on sync.changes (deleted_at) where deleted_at is not null;'),
      ('spaces_pkey', 'sync.spaces', 'alter table sync.spaces add constraint spaces_pkey primary key (space_id);'),
      ('notes_xid_idx', 'sync.notes', 'create index notes_xid_idx on sync.notes (xid);')
  )
  select 'tables', 'fail', format('%s has no column %s any more: each write to it fails', o.of_table,
      (select string_agg(quote_ident(g.name), ', ') from unnest(o.gone) as g (name))),
    case
      when o.listed_as is not null then 'alter table … add column …;  -- as it was, in a backup'
      when array[o.id_column] || o.space_columns && o.gone then format('select sync.untrack(%L);  -- and track it anew', o.entity_type)
      else format('select sync.track(%L, spaces => %L, columns => %L, name => %L, writable => %L, sorted_by => %L, stamp => %L, owner => %L);',
        o.of_table, o.space_columns, array(select c.name from unnest(o.columns) as c (name) where c.name <> all (o.gone)),
        o.entity_type, o.writable <> '{}', nullif(o.sorted_by, any_gone.sorted_by), nullif(o.stamp_column, any_gone.stamp),
        nullif(o.owner_column, any_gone.owner))
    end
  from ours o
  cross join lateral (
    select case when o.sorted_by = any (o.gone) then o.sorted_by end as sorted_by,
      case when o.stamp_column = any (o.gone) then o.stamp_column end as stamp,
      case when o.owner_column = any (o.gone) then o.owner_column end as owner
  ) as any_gone
  where o.gone is not null
  union all
  select 'rights', 'fail', format('%s, who owns Spacefeed, may not %s %s: it is neither read nor recorded', current_user,
      string_agg(p.name, ', ' order by p.n), o.of_table),
    format('grant %s on %s to %I;', string_agg(p.name, ', ' order by p.n), o.of_table, current_user)
  from ours o
  cross join (values (1, 'select'), (2, 'insert'), (3, 'update'), (4, 'delete')) as p (n, name)
  where (p.n = 1 or o.writable <> '{}') and not has_table_privilege(current_user, o.oid, p.name)
  group by o.of_table

  -- A list of a space, and each row that leaves it, is looked up by these.
  union all
  select 'indexes', 'fail', format('%s has no primary key of %s any more: each change reads it whole', o.of_table, o.id_column),
    format('alter table %s add primary key (%I);', o.of_table, o.id_column)
  from ours o
  where o.id_column <> all (coalesce(o.gone, '{}')) and not exists (
    select
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = o.oid and a.attname = o.id_column and i.indisunique and i.indisvalid and i.indnkeyatts = 1 and i.indpred is null)
  union all
  select 'indexes', 'warn', format('%s has no index on %s: each list of a space reads it whole', o.of_table, quote_ident(s.name)),
    format('create index %son %s (%I);', case o.relkind when 'p' then '' else 'concurrently ' end, o.of_table, s.name)
  from ours o
  cross join unnest(o.space_columns) as s (name)
  where s.name <> all (coalesce(o.gone, '{}')) and not exists (
    select
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = o.oid and a.attname = s.name and i.indisvalid and i.indpred is null)
  union all
  select 'indexes', 'fail', case when c.oid is null
      then format('%s has no %s: each recording reads it whole', w.of_table, w.name)
      else format('%s of %s is not valid, and not used', w.name, w.of_table)
    end, case when c.oid is null then w.definition else format('reindex index %s;', c.oid::pg_catalog.regclass) end
  from own_index w
  left join pg_catalog.pg_class c on c.relname = w.name and c.relnamespace = 'sync'::pg_catalog.regnamespace
  left join pg_catalog.pg_index i on i.indexrelid = c.oid
  where i.indisvalid is not true
  union all
  select 'filling', 'warn', format('%s is filled up to %s: the rows after it, that were there when it was tracked, are not seen yet',
      o.entity_type, coalesce(nullif(o.filled_to, ''), 'none')),
    format('call sync.fill(%L);', o.entity_type)
  from ours o
  where o.filled_to is not null
$$;
