-- Chapter 1, continued: what a DBA calls to put Spacefeed on a table. Taking it off is in 1_untrack.sql.
--   track    adds triggers to a table, and nothing else
--   fill     records the rows that were there before
-- A table is locked for a moment only: each try waits 100 ms at most, and holds up nobody for longer.

-- Those of the columns that no index begins with, and how to make one.
create or replace function sync._unindexed(of_table regclass, columns text[])
returns table (name text, statement text)
language sql
stable
set search_path = ''
as $$
  select w.name, format('create index %son %s (%I);', case c.relkind when 'p' then '' else 'concurrently ' end, of_table, w.name)
  from pg_catalog.pg_class c
  cross join unnest(columns) as w (name)
  where c.oid = of_table and not exists (
    select
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = of_table and a.attname = w.name and i.indisvalid and i.indpred is null)
$$;

create or replace function sync.track(of_table regclass, space text default null, columns text[] default null, name text default null,
  spaces text[] default null, writable boolean default false, sorted_by text default null, label text default null,
  stamp text default null, owner text default null)
returns text
language plpgsql
set search_path = ''
as $$
declare
  k sync.tracked;
  was sync.tracked;
  text_like constant pg_catalog.oid[] := '{25,1043,2950,21,23,20}';
  texts constant pg_catalog.text := 'text, varchar, uuid, smallint, integer or bigint';
  fault pg_catalog.text;
  unsaid constant pg_catalog.text := 'nothing says which of its columns leave the database';
  choice pg_catalog.text;
  is_kept boolean;
  runs_as constant pg_catalog.regrole := (select c.relowner
    from pg_catalog.pg_class c where c.oid = 'sync.tracked'::pg_catalog.regclass);
begin
  select of_table, coalesce(name, sync._wire_name(c.relname)), a.attname, coalesce(spaces, array[space]), columns, sorted_by, label, stamp, owner
  into k.of_table, k.entity_type, k.id_column, k.space_columns, k.columns, k.sorted_by, k.label_column, k.stamp_column, k.owner_column
  from pg_catalog.pg_class c
  left join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary and i.indnkeyatts = 1
  left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
  where c.oid = of_table;
  k.listed_as := case when k.entity_type in ('being', 'intention') then k.entity_type || 's' end;
  select * into was from sync.tracked t where t.entity_type = k.entity_type or t.of_table = k.of_table;

  select coalesce(case
      when c.relkind not in ('r', 'p') then 'it is no table'
      when c.relpersistence = 't' then 'it is a temporary table, which only one session sees'
      when c.relnamespace::pg_catalog.regnamespace::pg_catalog.text in ('sync', 'pg_catalog', 'information_schema')
        then 'it is none of an application'
      when c.relispartition then 'it is a partition: track the table that it belongs to'
      when k.id_column is null then 'it has no primary key of one column, and a change is told by a key'
      when key.atttypid <> all (text_like) then format('its key is of type %s; it may be %s', format_type(key.atttypid, null), texts)
      when k.entity_type !~ '^[a-z][A-Za-z0-9]{0,39}$' or k.entity_type in ('space', 'entities', 'beings', 'intentions', 'emptied')
        then format('"%s" cannot be its name on the wire: give name => ''task'', of letters and digits', k.entity_type)
      when was.of_table <> k.of_table then format('%s is the name of %s already: give another one', k.entity_type, was.of_table)
      when was.entity_type <> k.entity_type then format('it is tracked already, as %s', was.entity_type)
      when not has_table_privilege(runs_as, of_table, 'select')
        then format('%s, who owns Spacefeed, may not read it: grant select on %s to %1$s', runs_as, of_table)
      when writable and not (has_table_privilege(runs_as, of_table, 'insert')
        and has_table_privilege(runs_as, of_table, 'update') and has_table_privilege(runs_as, of_table, 'delete'))
        then format('%s, who owns Spacefeed, may not write it: grant insert, update, delete on %s to %1$s', runs_as, of_table)
      when c.relrowsecurity and (c.relforcerowsecurity or not pg_has_role(runs_as, c.relowner, 'usage'))
        and not (select r.rolsuper or r.rolbypassrls from pg_catalog.pg_roles r where r.oid = runs_as)
        then format('its row-level security hides rows from %s, who owns Spacefeed: alter role %1$s bypassrls', runs_as)
      when columns is not null and array_position(k.space_columns, null) is not null
        then 'nothing says which space a row is in: give space => ''project_id'', or spaces => array[…]'
      when k.id_column <> all (columns) then format('columns lacks %I, which is its key', k.id_column)
      when k.id_column <> 'id' and 'id' = any (columns) then 'its key is called id on the wire, and columns has another id'
      when label is not null and (sorted_by is null or cardinality(k.space_columns) > 1)
        then 'a label pages a list, which needs sorted_by, and one space a row'
    end, (
      select case
          when a.attname is null then format('it has no column %I', w.name)
          when w.name = any (k.space_columns) and a.atttypid <> all (text_like)
            then format('column %I says a space, and is of type %s; it may be %s', w.name, y.name, texts)
          when w.name = any (k.space_columns) and a.attgenerated = 'v'
            then format('column %I says a space, and is virtual: a trigger does not see what is in it', w.name)
          when w.name = sorted_by and label is not null and a.atttypid not in (1114, 1184)
            then format('its sorted_by %I is of type %s: it has to be a timestamp, with a label', w.name, y.name)
          when w.name = label and a.atttypid not in (25, 1043, 2950)
            then format('its label %I is of type %s: it has to be text, varchar or uuid: a number is a version', w.name, y.name)
        end
      from unnest(k.space_columns || columns || array[sorted_by, label, stamp, owner]) as w (name)
      left join pg_catalog.pg_attribute a on a.attrelid = of_table and a.attname = w.name and a.attnum > 0
      cross join lateral format_type(a.atttypid, null) as y (name)
      where w.name is not null
      order by 1
      limit 1
    ), (
      select format('columns %s would both be %s on the wire', string_agg(quote_ident(w.name), ' and '), sync._wire_name(w.name))
      from unnest(columns) as w (name)
      group by sync._wire_name(w.name)
      having count(*) > 1
      limit 1
    ), case when columns is null then unsaid end)
  into fault
  from pg_catalog.pg_class c
  left join pg_catalog.pg_attribute key on key.attrelid = c.oid and key.attname = k.id_column
  where c.oid = of_table;
  if fault is not null then
    if fault = unsaid then
      select format('Choose from columns => array[%s].%s',
        string_agg(quote_literal(a.attname), ', ' order by a.attnum) filter (where not s.is_secret),
        ' These look like secrets: ' || string_agg(quote_ident(a.attname), ', ' order by a.attnum) filter (where s.is_secret) || '.')
      into choice
      from pg_catalog.pg_attribute a
      cross join lateral (
        select a.attname ~* '(key|token|secret|passw|hash|salt|credential|private|otp|ssn)' and a.attname <> k.id_column
      ) as s (is_secret)
      where a.attrelid = of_table and a.attnum > 0 and not a.attisdropped;
    end if;
    raise exception 'track: % is not tracked: %', of_table, fault
      using errcode = 'invalid_parameter_value', hint = coalesce(choice, 'Nothing was changed.');
  end if;

  k.writable := array(
    select a.attname
    from pg_catalog.pg_attribute a
    where writable and a.attrelid = of_table and a.attname = any (columns || k.space_columns)
      and a.attgenerated = '' and a.attidentity <> 'a'
    order by a.attname);
  k.filled_to := case when was.entity_type is null then '' else was.filled_to end;
  if was is distinct from k then  -- else a wire function that was replaced stays, and nobody takes anything anew
    delete from sync.tracked t where t.of_table = k.of_table;
    insert into sync.tracked select k.*;
    is_kept := was.entity_type is not null and sync._is_replaced(was);
    perform sync._write(case when not is_kept then k.entity_type end);
    if was.entity_type is not null then
      perform sync.refresh(k.entity_type);
    end if;
  end if;
  perform sync._tie();

  return concat_ws(' ', format('%s is tracked as %s.', k.of_table, k.entity_type),
    case when k.filled_to is not null then format('Now: call sync.fill(%L);', k.entity_type) end,
    case when is_kept then format('sync.%I was replaced by hand and stays: name the columns there, then select sync.refresh(%L);',
      k.entity_type || '_json', k.entity_type) end,
    (select 'A list of a space reads the whole table until there is an index: ' || string_agg(u.statement, ' ')
     from sync._unindexed(of_table, k.space_columns) u));
end
$$;
comment on function sync.track(regclass, text, text[], text, text[], boolean, text, text, text, text) is
  'Has clients see a table: rows are entities of a name, in the space that column space names (or in each of spaces), of
which columns leave (P9). writable: the API may write them. sorted_by: a time, the order of a list; label: a unique name, a list is
then a page of the newest; stamp: a column that has another value after each change; owner: the being whose row it is. Adds
triggers to the table, and nothing else. Again, with other columns: those who have rows of it take them anew; a wire function that you have
replaced stays.';

-- A batch of the rows that were there before the triggers: noted as if they had just been written. True when it was the last.
create or replace function sync._fill(of_type text, max_rows integer)
returns boolean
language plpgsql
security definer
set search_path = ''
set row_security = off
as $$
declare
  k sync.tracked;
  e pg_catalog.record;
  is_next pg_catalog.text := 'true';
  last_id pg_catalog.text;
begin
  perform from sync.tracked t where t.entity_type = of_type for update;
  k := sync._tracked(of_type, 'fill');
  select * into e from sync._texts(k);
  if k.filled_to is null then
    return true;
  elsif k.filled_to <> '' then
    is_next := format('%s > %L::%s', e.key, k.filled_to, e.key_type);
  end if;
  execute format('select %s from %s t where %s order by %s offset $1 limit 1', e.id, e.rows, is_next, e.key)
  into last_id using max_rows - 1;
  if last_id is not null then
    is_next := is_next || format(' and %s <= %L::%s', e.key, last_id, e.key_type);
  end if;
  execute format(
    'insert into sync.notes (space_id, entity_type, entity_ids)
     select s.space_id, $1, array_agg(%1$s)
     from %2$s t %3$s and %4$s
     group by s.space_id', e.id, e.rows, e.in_spaces, is_next)
  using of_type;
  if last_id is null then
    -- What others have deleted, and is not recorded yet, may have been there: of that a second note tells.
    insert into sync.notes (space_id, entity_type, entity_ids)
    select n.space_id, n.entity_type, n.entity_ids
    from sync.notes n
    where n.entity_type = of_type and n.xid <> pg_current_xact_id();
  end if;
  update sync.tracked t set filled_to = last_id where t.entity_type = of_type;
  perform set_config('sync.large', pg_current_xact_id()::pg_catalog.text, true);  -- it is recorded here, and by no relay
  raise notice '%: %', of_type, coalesce('filled up to ' || last_id, 'filled');
  return last_id is null;
end
$$;

-- Without a search_path: who commits may not have one. So it names all in full.
create or replace procedure sync.fill(of_type text, max_rows integer default 10000)
language plpgsql
as $$
declare
  started timestamp with time zone;
begin
  loop
    started := pg_catalog.clock_timestamp();
    exit when sync._fill(of_type, max_rows);
    commit;
    -- For as long, the others have their turn.
    perform pg_catalog.pg_sleep_for(pg_catalog.clock_timestamp() operator(pg_catalog.-) started);
  end loop;
end
$$;
comment on procedure sync.fill(text, integer) is
  'Records the rows that a table had when it was tracked, max_rows in a transaction, while others write. Where it is stopped, the
next call goes on.';
