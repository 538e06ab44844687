-- Chapter 3: what is read. First the rows of a space, as they are: of one table (_list), or the IDs of all (_all).

-- What people call a row of it.
create or replace function sync._noun(entity_type text)
returns text
language sql
immutable
set search_path = ''
as $$ select case entity_type when 'intention' then 'message' else entity_type end $$;

-- Every entity that is in a space, in one of them or in all.
create or replace function sync._all(only_space_id text)
returns table (space_id text, entity_type text, entity_id text, label text)
language plpgsql
stable
set search_path = ''
as $$
declare
  query pg_catalog.text;
begin
  select string_agg(format(
    'select s.space_id, %L, %s, %s from %s t %s and s.space_id = coalesce($1, s.space_id)',
    k.entity_type, e.id, e.label, e.rows, e.in_spaces), ' union all ')
  into query
  from sync.tracked k
  cross join lateral sync._texts(k) as e
  where e.rows is not null;
  if query is not null then
    return query execute query using only_space_id;
  end if;
end
$$;

-- How much JSON leaves in one piece: 64 MiB. A single row may have four times that.
create or replace function sync._most_bytes()
returns integer
language sql
immutable
set search_path = ''
as 'select 67108864';

-- Those in a space, oldest first. Of a table with labels it is a page: the newest max_rows, or those before a label; fewer,
-- but one, where they would be more than is sent in one piece. Of another one it is all, or the first max_rows.
create or replace function sync._list(entity_type text, space_id text, max_rows integer default null, before text default null,
  out list json, out last_label text, out has_more boolean)
language plpgsql
stable
security definer
set search_path = ''
set row_security = off
set enable_bitmapscan = off  -- a limit of an index's order: a bitmap would read all of it first
set jit = off  -- compiling would take longer than the query
as $$
declare
  k constant sync.tracked := sync._tracked(entity_type);
  e pg_catalog.record;
  space_column pg_catalog.text;
  is_here pg_catalog.text := 'false';
  before_at timestamp with time zone;
  is_page constant boolean := k.label_column is not null;
  rows pg_catalog.refcursor;
  wire pg_catalog.json;
  label pg_catalog.text;
  wires pg_catalog.json[] := '{}';
  left_bytes integer := sync._most_bytes();
begin
  select * into e from sync._texts(k);
  -- What is no value of a column's type is no space there.
  foreach space_column in array k.space_columns loop
    begin
      execute format('select $1::%s', e.types ->> space_column) using space_id;
      is_here := is_here || format(' or t.%I = $1::%s', space_column, e.types ->> space_column);
    exception when data_exception then
      null;
    end;
  end loop;
  is_here := format('(%s)', replace(is_here, 'false or ', ''));
  if not is_page then
    perform set_config('enable_bitmapscan', 'on', true);
  end if;
  if before is not null then
    execute format('select t.%I from %s t where t.%I = $2::%s and %s', k.sorted_by, e.rows, k.label_column, e.types ->> k.label_column, is_here)
    into before_at using space_id, before;
    if before_at is null then
      raise exception 'before: there is no % % in space %', sync._noun(entity_type), before, space_id
        using errcode = 'no_data_found';
    end if;
    is_here := is_here || format(' and t.%1$I <= $3 and (t.%1$I < $3 or (length(%2$s), %2$s collate "C") < (length($4), $4))',
      k.sorted_by, e.label);
  end if;

  -- Their JSON is made one by one, so that none is made that is not sent.
  open rows for execute format('select %s, %s from %s t where %s order by %s limit $2', e.wire, e.label, e.rows, is_here,
    case when is_page then format('t.%1$I desc, length(%2$s) desc, %2$s collate "C" desc', k.sorted_by, e.label)
      else concat_ws(', ', 't.' || quote_ident(k.sorted_by), e.id || ' collate "C"') end)
    using space_id, max_rows + is_page::integer, before_at, before;
  has_more := case when is_page then false end;
  loop
    fetch rows into wire, label;
    exit when not found;
    if is_page then
      last_label := coalesce(last_label, label);
      has_more := cardinality(wires) = max_rows;
      exit when has_more;
    end if;
    left_bytes := left_bytes - pg_column_size(wire);
    if left_bytes < 0 then
      has_more := is_page and cardinality(wires) > 0;
      exit when has_more;
      if not is_page or pg_column_size(wire) > 4::bigint * sync._most_bytes() then
        raise exception 'the % cannot be sent: % bytes of JSON are too many; make it smaller, in SQL',
          case when is_page then sync._noun(entity_type) else 'list of ' || e.list_name end, sync._most_bytes() - left_bytes
          using errcode = 'program_limit_exceeded';
      end if;
    end if;
    wires := array_append(wires, wire);
  end loop;
  close rows;
  select coalesce(json_agg(w.wire order by w.n * case when is_page then -1 else 1 end), '[]') into list
  from unnest(wires) with ordinality as w (wire, n);
end
$$;
