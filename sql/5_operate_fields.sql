-- Chapter 5, continued: what a row of a tracked table is on the wire, for whoever writes types from it (`spacefeed types`).

-- What row_to_json makes of a type. is_array: the rest is that of an element.
create or replace function sync._json_type(of_type oid, out json_type text, out labels text[], out is_array boolean,
  out is_never_null boolean)
language plpgsql
stable
set search_path = ''
as $$
declare
  t pg_catalog.record;
begin
  select false, false into is_array, is_never_null;
  loop
    select y.* into t from pg_catalog.pg_type y where y.oid = of_type;
    if t.typtype = 'd' then
      is_never_null := is_never_null or t.typnotnull and not is_array;
      of_type := t.typbasetype;
    elsif t.typcategory = 'A' and t.typelem <> 0 and not is_array then
      is_array := true;
      of_type := t.typelem;
    else
      exit;
    end if;
  end loop;
  labels := array(select e.enumlabel::pg_catalog.text from pg_catalog.pg_enum e where e.enumtypid = t.oid order by e.enumsortorder);
  json_type := case
    when t.typtype = 'e' then 'enum'
    when t.oid = 'pg_catalog.bool'::pg_catalog.regtype then 'boolean'
    when t.oid = any (array['int2', 'int4', 'int8', 'float4', 'float8', 'numeric']::pg_catalog.regtype[]) then 'number'
    when t.oid = any (array['json', 'jsonb']::pg_catalog.regtype[]) or t.typtype = 'c' then 'json'
    -- Types of extensions may say themselves what JSON they are.
    when exists (
      select from pg_catalog.pg_cast c
      where c.castsource = t.oid and c.casttarget = 'pg_catalog.json'::pg_catalog.regtype and t.oid >= 16384) then 'json'
    else 'string'
  end;
end
$$;

create or replace function sync.fields(of_type text default null)
returns table (entity_type text, of_table text, field text, json_type text, labels text[], dimensions integer, is_nullable boolean,
  is_replaced boolean)
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  k sync.tracked;
  keys pg_catalog.text[];  -- null: all of its columns
begin
  for k in
    select t.*
    from sync.tracked t
    where t.entity_type = coalesce(of_type, t.entity_type) and to_regclass(t.of_table) is not null
    order by t.entity_type collate "C"
  loop
    -- A wire function that was replaced is asked what it has.
    begin
      execute format('select nullif(array(select json_object_keys(sync.%I(null::%s))), ''{}'')', k.entity_type || '_json', k.of_table) into keys;
    exception when others then
      keys := null;
    end;
    return query
    select k.entity_type, k.of_table, j.field, case
        when c.name is null then 'json'
        when c.name = k.id_column or a.atttypid in ('pg_catalog.int8'::pg_catalog.regtype, 'pg_catalog.numeric'::pg_catalog.regtype)
          then 'string'
        else y.json_type
      end, coalesce(y.labels, '{}'), case when y.is_array then greatest(a.attndims, 1) else 0 end::integer,
      c.name is not null and c.name <> k.id_column and not (a.attnotnull or y.is_never_null), sync._is_replaced(k)
    from (
      select u.name, u.n, case u.name when k.id_column then 'id' else sync._wire_name(u.name) end as field
      from unnest(k.columns) with ordinality as u (name, n)
    ) as c
    full join unnest(keys) with ordinality as w (field, n) using (field) as j
    left join pg_catalog.pg_attribute a on a.attrelid = k.of_table::pg_catalog.regclass and a.attname = c.name and not a.attisdropped
    left join lateral sync._json_type(a.atttypid) as y on true
    where keys is null or w.n is not null
    order by c.n, w.n;
  end loop;
end
$$;
comment on function sync.fields(text) is
  'What rows of a tracked table are on the wire, or of all: a row a field, with its JSON type (string, number, boolean, enum with
its labels, json: anything), as how deep an array, and whether it may be null. is_replaced: its wire function is not the one that
sync.track() wrote, so that a type may be another one.';
