-- Chapter 1: tracked tables. A row of sync.tracked (migrations/0002_tracked.sql) says which table it is, and what its columns are
-- for. From it some functions are written here, so that what runs at each write has the names in it, and is planned once:
--   <type>_json       a row as clients see it; the DBA's to replace, so that it is written only where it is missing
--   _note_<type>      the trigger that notes which rows a statement has touched
--   _wire, _find      a row, and which rows are in a space, with a branch for each table
-- The chapters after this one know entities: a type, an ID. A table may have columns of any name beside those that are
-- tracked. So what is asked of it is qualified: its row is t.*, and a variable has the name of its function before it.
-- Every function runs as its owner: a writer needs rights on the table only. A row that a policy hides from the owner is an
-- error and not a deletion: so row_security = off, which is what it says.

-- A column's name on the wire: project_id is projectId.
create or replace function sync._wire_name(column_name text)
returns text
language sql
immutable
set search_path = ''
as $$
  select string_agg(case when p.n = 1 then p.part else upper(left(p.part, 1)) || substr(p.part, 2) end, '' order by p.n)
  from regexp_split_to_table(column_name, '(?<=[^_])_(?=[^_])') with ordinality as p (part, n)
$$;

-- The texts that stand for a table in a query, where its row is t: "\sf sync._note_being" shows some in their places. in_spaces
-- has a row once for each s.space_id that it is in. IDs and spaces are text, of at most 255 characters: what has more is
-- nowhere. Types are qualified, or a temporary one could take their place. All is null when the table or its key is gone.
create or replace function sync._texts(k sync.tracked, out rows text, out wire text, out id text, out key text, out key_type text,
  out types jsonb, out spaces text, out in_spaces text, out label text, out label_name text, out list_name text, out stamp text)
language sql
stable
set search_path = ''
as $$
  select k.of_table, e.wire, e.id, format('t.%I', k.id_column), e.types ->> k.id_column, e.types, e.spaces,
    format('cross join lateral (select %s) as s (space_id)
      where length(s.space_id) between 1 and 255 and length(%s) between 1 and 255',
      case cardinality(k.space_columns) when 1 then e.spaces else format('distinct unnest(array[%s])', e.spaces) end, e.id),
    case when k.label_column is null then '''''' else format('coalesce(t.%I, '''')::pg_catalog.text', k.label_column) end,
    case when k.entity_type = 'intention' then 'messageId'  -- also of one that was adopted, whose label may be another column
      when k.label_column is not null then sync._wire_name(k.label_column) when k.listed_as is null then 'id' end,
    coalesce(k.listed_as, k.entity_type),
    coalesce('t.' || quote_ident(k.stamp_column), case
        -- A trigger does not see virtual columns: any change counts.
        when exists (select from pg_catalog.pg_attribute v where v.attrelid = to_regclass(k.of_table) and v.attgenerated = 'v')
          then '(t.*)::pg_catalog.text'
        -- What is written to a partition by its name comes in the order of its own columns.
        when exists (select from pg_catalog.pg_inherits i where i.inhparent = to_regclass(k.of_table))
          then format('sync.%I(jsonb_populate_record(null::%s, to_jsonb(t.*)))::pg_catalog.text', k.entity_type || '_json', k.of_table)
        else e.wire || '::pg_catalog.text'
      end || ' collate "C"')
  from (
    select format('sync.%I(t.*)', k.entity_type || '_json') as wire, format('t.%I::pg_catalog.text', k.id_column) as id,
      (select string_agg(format('t.%I::pg_catalog.text', s.name), ', ' order by s.n)
       from unnest(k.space_columns) with ordinality as s (name, n)) as spaces,
      jsonb_object_agg(a.attname, format('%s.%I', y.typnamespace::pg_catalog.regnamespace, y.typname)) as types
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type y on y.oid = a.atttypid
    where a.attrelid = to_regclass(k.of_table) and a.attname = any (k.space_columns || array[k.id_column, k.label_column])
  ) as e
  where e.types ? k.id_column
$$;

-- What sync.tracked has of a type, or a refusal: also where the table is gone, unless that may be.
create or replace function sync._tracked(of_type text, for_what text default null, may_be_gone boolean default false)
returns sync.tracked
language plpgsql
stable
set search_path = ''
as $$
declare
  k sync.tracked;
begin
  select t.* into k
  from sync.tracked t
  where t.entity_type = of_type and (may_be_gone or exists (
    select from pg_catalog.pg_attribute a where a.attrelid = to_regclass(t.of_table) and a.attname = t.id_column));
  if not found then
    raise exception '%', concat_ws(': ', for_what, 'nothing is tracked as ' || of_type)
      using errcode = case when for_what is null then 'no_data_found' else 'invalid_parameter_value' end,
        hint = 'See: select entity_type, of_table from sync.tracked;';
  end if;
  return k;
end
$$;

-- What the function <type>_json selects. No number loses digits in a browser: those that may are texts.
create or replace function sync._wire_columns(k sync.tracked)
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(format(case
      when a.attname = k.id_column then '%3$I.%1$I' || case a.atttypid when 'pg_catalog.text'::pg_catalog.regtype then '' else '::text' end || ' as id'
      when a.atttypid = 'pg_catalog.timestamptz'::pg_catalog.regtype
        then 'to_char(%3$I.%1$I at time zone ''UTC'', ''YYYY-MM-DD"T"HH24:MI:SS.US"Z"'') as %2$I'
      when a.atttypid in ('pg_catalog.int8'::pg_catalog.regtype, 'pg_catalog.numeric'::pg_catalog.regtype) then '%3$I.%1$I::text as %2$I'
      else '%3$I.%1$I as %2$I'
    end, a.attname, sync._wire_name(a.attname), k.entity_type), E',\n      ' order by c.n)
  from unnest(k.columns) with ordinality as c (name, n)
  join pg_catalog.pg_attribute a on a.attrelid = to_regclass(k.of_table) and a.attname = c.name
$$;

-- Whether <type>_json is the DBA's own, and not as it was written here.
create or replace function sync._is_replaced(k sync.tracked)
returns boolean
language sql
stable
set search_path = ''
as $$
  select coalesce((
    select strpos(p.prosrc, format(E'select %s\n  ) as wire\n', sync._wire_columns(k))) = 0
    from pg_catalog.pg_proc p
    where p.oid = to_regprocedure(format('sync.%I(%s)', k.entity_type || '_json', k.of_table))), false)
$$;

-- Writes the functions of all types: <type>_json only where it is missing, and for the type anew. That one is called as the
-- owner, and names pg_temp last: else that is first, and somebody's type in it would run that person's code as the owner,
-- wherever the DBA's text casts. The numbers in %1$s are those of the arguments at the end.
create or replace function sync._write(anew text default null)
returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
  k pg_catalog.record;
  called pg_catalog.text;
  finds pg_catalog.text := '';
  wires pg_catalog.text := '';
begin
  for k in
    select t.entity_type, sync._wire_columns(t) as wire_columns, e.*
    from sync.tracked t
    cross join lateral sync._texts(t) as e
    where e.rows is not null
    order by t.entity_type
  loop
    called := format('sync.%I(%s)', k.entity_type || '_json', k.rows);
    if k.entity_type = anew or to_regprocedure(called) is null then
      execute format($json$
create or replace function sync.%I(%I %s)
returns json
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
  select row_to_json(wire.*)
  from (
    select %s
  ) as wire
$body$
$json$, k.entity_type || '_json', k.entity_type, k.rows, k.wire_columns);
      execute format('comment on function %s is %L', called,
        format('%s as clients see it. A column that is not named here never leaves (P9).', initcap(k.entity_type)));
      execute format('revoke execute on function %s from public', called);
    end if;

    execute format($note$
create or replace function sync.%1$I()
returns trigger
language plpgsql
security definer
set search_path = ''
as $body$
declare
  spaces integer;
begin
  if tg_op = 'UPDATE' then
    -- The rows of which it has changed what leaves. What moves, or gets another ID, is there once with each: where it was,
    -- and where it is.
    insert into sync.notes (space_id, entity_type, entity_ids)
    select c.space_id, %2$L, array_agg(c.id)
    from (
      select r.space_id, r.id
      from (
        select s.space_id, %3$s as id, %4$s as stamp from old_rows t %5$s
        union all
        select s.space_id, %3$s as id, %4$s as stamp from new_rows t %5$s
      ) as r
      group by r.space_id, r.id
      having count(*) = 1 or min(r.stamp) <> max(r.stamp)
    ) as c
    group by c.space_id;
  else
    insert into sync.notes (space_id, entity_type, entity_ids)
    select s.space_id, %2$L, array_agg(%3$s)
    from touched_rows t %5$s
    group by s.space_id;
  end if;
  get diagnostics spaces = row_count;
  if spaces > 100 then
    perform set_config('sync.large', pg_current_xact_id()::pg_catalog.text, true);
  end if;
  return null;
end
$body$
$note$, '_note_' || k.entity_type, k.entity_type, k.id, k.stamp, k.in_spaces);
    execute format('revoke execute on function sync.%I() from public', '_note_' || k.entity_type);
    finds := finds || format($find$
    when %1$L then
      return array(
        select (select case when _find.space_id in (%2$s) then %3$s end from %4$s t where %5$s = e.id::%6$s)
        from unnest(entity_ids) as e (id));$find$, k.entity_type, k.spaces, k.label, k.rows, k.key, k.key_type);
    wires := wires || format($wire$
    when %1$L then
      label_name := %2$L;
      list_name := %9$L;
      select %3$s, array_remove(array[%4$s], null), %5$s into wire, space_ids, label
      from %6$s t where %7$s = _wire.id::%8$s;$wire$,
      k.entity_type, k.label_name, k.wire, k.spaces, k.label, k.rows, k.key, k.key_type, k.list_name);
  end loop;

  execute format($find$
-- Which of these the table has in that space, in their order: the label, '' where it has none; null: it is not there.
create or replace function sync._find(entity_type text, space_id text, entity_ids text[])
returns text[]
language plpgsql
stable
security definer
set search_path = ''
set row_security = off
as $body$
begin
  case entity_type%s
    else
      return array(select null::pg_catalog.text from unnest(entity_ids));
  end case;
end
$body$
$find$, coalesce(nullif(finds, ''), $none$ when '' then null;$none$));
  execute format($wire$
-- A row as clients see it, and where it is; null when there is none. Only the table of that type is looked at: one that
-- somebody has locked does not hold up the others.
create or replace function sync._wire(entity_type text, id text, out wire json, out space_ids text[], out label text,
  out label_name text, out list_name text)
language plpgsql
stable
security definer
set search_path = ''
set row_security = off
as $body$
begin
  case entity_type%s
    else null;
  end case;
  if pg_column_size(wire) > 4::bigint * sync._most_bytes() then
    raise exception 'the %% cannot be sent: %% bytes of JSON are too many; make it smaller, in SQL',
      sync._noun(entity_type), pg_column_size(wire) using errcode = 'program_limit_exceeded';
  end if;
end
$body$
$wire$, coalesce(nullif(wires, ''), $none$ when '' then null;$none$));
  revoke execute on function sync._find(text, text, text[]), sync._wire(text, text) from public;
end
$$;

select sync._write();
