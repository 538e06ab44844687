-- Chapter 4, continued: what the API reads and writes, in one call each. Both ask sync.authorize(), as sync.open() does.

create or replace function sync.read(claims jsonb, type text, id text, space_id text, max_rows integer default null,
  before text default null, out data json, out version bigint, out has_more boolean)
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  space_ids pg_catalog.text[] := array[space_id];
begin
  if id is not null then
    select w.wire, w.space_ids into data, space_ids from sync._wire(type, id) w;
    if data is null or space_id is not null and space_id <> all (space_ids) then
      raise exception 'there is no % %', sync._noun(type), id || coalesce(' in space ' || space_id, '') using errcode = 'no_data_found';
    end if;
  elsif space_id is not null and sync._version(space_id) is null then
    raise exception '%', space_id using errcode = 'SF404';
  end if;
  perform sync._demand(claims, 'read', case when space_id is null then space_ids else array[space_id] end, null);
  if id is null then
    select l.list, l.has_more into data, has_more from sync._list(type, space_id, max_rows, before) l;
  end if;
  version := sync._version(coalesce(space_id, space_ids[1]));
end
$$;
comment on function sync.read(jsonb, text, text, text, integer, text) is
  'An entity of a type, by its ID, or those of a space: of messages the newest max_rows, or of those before a
message. And the version of the space. Raises no_data_found where there is none, SF404 where there is no such space, and
SF403 where sync.authorize() does not say true.';

create or replace function sync.write(claims jsonb, action text, type text, id text, space_id text, fields jsonb,
  full_spaces text[] default '{}', out data json, out in_space text, out version bigint)
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  k sync.tracked;
  e pg_catalog.record;
  noun constant pg_catalog.text := sync._noun(type);
  owner_field pg_catalog.text;
  wanted pg_catalog.text;
  in_spaces pg_catalog.text[];
  names pg_catalog.text;
  terms pg_catalog.text;
  is_same boolean;
  full_space pg_catalog.text;
begin
  select t.* into k from sync.tracked t where t.entity_type = type and t.writable <> '{}';
  select * into e from sync._texts(k);
  if e.rows is null or action is null or action not in ('create', 'update', 'delete') then
    raise exception 'there is no % of %: nothing is tracked so that it may be written', action, type
      using errcode = 'invalid_parameter_value';
  end if;
  owner_field := sync._wire_name(k.owner_column);
  if action = 'create' then
    fields := case when claims is null or owner_field is null then '{}'
        else jsonb_build_object(owner_field, claims -> 'being') end
      || case when space_id is null or k.listed_as is not null or cardinality(k.space_columns) > 1 then '{}'
        else jsonb_build_object(sync._wire_name(k.space_columns[1]), space_id) end
      || fields || case when id is null then '{}' else jsonb_build_object('id', id) end;
    if type = 'being' and fields ->> 'type' = 'space' and fields ->> 'locationId' is null then
      fields := fields - 'locationId';  -- the trigger puts it into itself
    end if;
  end if;
  -- Of ours, into a space that is there; one of a tracked table is there once something is in it.
  wanted := fields ->> sync._wire_name(k.space_columns[1]);
  if k.listed_as is not null and wanted is not null
    and (action <> 'create' or fields ->> 'type' is distinct from 'space' or wanted <> id)
    and sync._version(wanted) is null
  then
    raise exception '%', wanted using errcode = 'SF404';
  end if;
  -- The columns that the fields name, and the terms for their values: JSON is taken as it is, digit for digit.
  select string_agg(quote_ident(a.attname), ', '), string_agg(format(case
      when a.atttypid = 'pg_catalog.jsonb'::pg_catalog.regtype then '$1 -> %1$L'
      when t.typcategory in ('A', 'C')
        then '(jsonb_populate_record(null::%2$s, jsonb_build_object(%3$L, $1 -> %1$L))).%3$I'
      else '($1 ->> %1$L)::%4$s.%5$I'
    end, f.name, k.of_table, a.attname, t.typnamespace::pg_catalog.regnamespace, t.typname), ', ')
  into names, terms
  from jsonb_object_keys(fields) as f (name)
  join pg_catalog.pg_attribute a on a.attrelid = k.of_table::pg_catalog.regclass and a.attname = any (k.writable)
    and f.name = case a.attname when k.id_column then 'id' else sync._wire_name(a.attname) end
  join pg_catalog.pg_type t on t.oid = a.atttypid
  having count(*) = (select count(*) from jsonb_object_keys(fields));
  if names is null and action <> 'delete' or action = 'update' and fields ? 'id' then
    raise exception 'there is no field to write, or one that may not be written: %', fields
      using errcode = 'invalid_parameter_value';
  end if;

  -- The policy is asked by the statement that writes: it sees the tables as they were before. In it %1$s is the table,
  -- %2$s the row as clients see it, %3$s the columns, %4$s their terms, %5$s the spaces that it is in, %6$s the row as the
  -- policy sees it, %7$s its owner, %8$s whether it is the one, %9$I its key, %10$L the field of its owner; $1 the fields,
  -- $2 the claims, $3 the ID, $4 the space.
  execute format(case action
    when 'create' then $create$
      insert into %1$s as t (%3$s)
      select %4$s
      on conflict (%9$I) do nothing
      returning %2$s, %5$s,
        sync._demand($2, 'create', %5$s, %6$s),
        sync._demand_owner($2, $2 ->> 'being', %7$s)
    $create$
    when 'update' then $update$
      update %1$s as t
      set (%3$s) = row(%4$s)
      where %8$s and ($4 is null or $4 = any (%5$s))
        and sync._demand($2, 'update', %5$s, %6$s)
        and sync._demand_owner($2, %7$s, case when $1 ? %10$L then $1 ->> %10$L else %7$s end)
      returning %2$s, %5$s, sync._demand($2, 'update', %5$s, %6$s)
    $update$
    when 'delete' then $delete$
      with going as materialized (
        select t.%9$I as id, %5$s as space_ids, %2$s as wire
        from %1$s as t
        where %8$s and ($4 is null or $4 = any (%5$s))
          and sync._demand($2, 'delete', %5$s, %6$s)
        for update
      )
      delete from %1$s as t using going as g where t.%9$I = g.id
      returning g.wire, g.space_ids
    $delete$
  end, e.rows, e.wire, names, terms, format('array_remove(array[%s], null)', e.spaces),
    format('(%s)::pg_catalog.jsonb || %L', e.wire, jsonb_build_object('entityType', type)),
    coalesce('t.' || quote_ident(k.owner_column) || '::pg_catalog.text', '$2 ->> ''being'''),
    format('%s = $3::%s', e.key, e.key_type), k.id_column, coalesce(owner_field, ''))
  into data, in_spaces
  using fields, claims, id, space_id;

  if data is null then
    select w.wire, w.space_ids into data, in_spaces from sync._wire(type, id) w;
    if data is not null then
      perform sync._demand(claims, action, in_spaces, data::pg_catalog.jsonb || jsonb_build_object('entityType', type));
    end if;
    if action <> 'create' then
      if data is null or space_id is not null and space_id <> all (in_spaces) then
        raise exception 'there is no % %', noun, id || coalesce(' in space ' || space_id, '') using errcode = 'no_data_found';
      end if;
      raise exception 'the database has the % %, but did not % it: a trigger on % dropped the %',
        noun, id, action, e.rows, action;
    elsif data is null then
      raise exception 'the database took the %, but stored nothing: a trigger on % dropped it', noun, e.rows;
    end if;
    -- A safe retry, if it says the same.
    if owner_field is not null then
      perform sync._demand_owner(claims, claims ->> 'being', fields ->> owner_field);
    end if;
    execute format('select row(%s) is not distinct from row(%s) from %s as t where %s = $2::%s',
      names, terms, e.rows, e.key, e.key_type)
    into is_same
    using fields, id;
    if is_same is not true then
      raise exception 'there is another % with the ID %: take a new ID, or update that one', noun, id;
    end if;
  end if;
  in_space := case when space_id = any (in_spaces) then space_id else in_spaces[1] end;

  select n.space_id into full_space
  from sync.notes n
  where n.xid = pg_current_xact_id_if_assigned() and n.entity_type = type and n.space_id = any (full_spaces);
  if found then
    raise exception '%', full_space using errcode = 'SF429';
  end if;
  set constraints sync.spacefeed_commit immediate;  -- so that the version is known, where nobody else records
  version := (
    select s.version
    from sync.spaces s
    where s.space_id = in_space and s.xid = pg_current_xact_id_if_assigned() and age(s.xmin) = 0);  -- as in sync._file()
end
$$;
comment on function sync.write(jsonb, text, text, text, text, jsonb, text[]) is
  'Creates, updates or deletes an entity of a type that is writable, in that space if one is given: the row as clients see it, where it
is, and at which version, if that is known now (else sync.reach() tells it). fields: what to write, by the names of the
wire; the owner of what somebody with claims creates is their being. A create with an ID that is taken is a safe retry.
Raises SF403 where sync.authorize() does not say true, SF429 for one of full_spaces, SF404 where there is no such space,
no_data_found where there is no such row, and raise_exception (P0001) where it conflicts with what is there.';
