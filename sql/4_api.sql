-- Chapter 4, continued: what the API reads and writes, in one call each. Both ask sync.authorize(), as sync.open() does.

create or replace function sync._demand_row(data json, type text, id text, in_space text, space_id text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  if data is null or in_space is distinct from coalesce(space_id, in_space) then
    raise exception 'there is no % %', (select e.noun from sync._entities() e where e.entity_type = type),
      id || coalesce(' in space ' || space_id, '') using errcode = 'no_data_found';
  end if;
  return true;
end
$$;

create or replace function sync.read(claims jsonb, type text, id text, space_id text, max_rows integer default null,
  before text default null, out data json, out version bigint, out has_more boolean)
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  in_space pg_catalog.text := space_id;
begin
  if id is not null then
    select w.wire, w.space_id into data, in_space from sync._wire(type, id) w;
    perform sync._demand_row(data, type, id, in_space, space_id);
  else
    perform sync._demand_space(space_id);
  end if;
  perform sync._demand(claims, 'read', in_space, null);
  if id is null and type = 'being' then
    data := sync.beings(space_id, max_rows);
  elsif id is null then
    select m.messages, m.has_more into data, has_more from sync.messages(space_id, max_rows, before) m;
  end if;
  version := sync._version(in_space);
end
$$;
comment on function sync.read(jsonb, text, text, text, integer, text) is
  'A being or an intention, by its ID, or those of a space: of messages the newest max_rows, or of those before a
message. And the version of the space. Raises no_data_found where there is none, SF404 where there is no such space, and
SF403 where sync.authorize() does not say true.';

-- The columns that the fields of a request name, and the terms for their values: the request is $1. JSON is taken as it
-- is, digit for digit. Null where a field may not be written.
create or replace function sync._columns(entity_type text, fields jsonb, out names text, out terms text)
language sql
stable
set search_path = ''
as $$
  select string_agg(quote_ident(a.attname), ', '), string_agg(case a.atttypid
      when 'pg_catalog.jsonb'::pg_catalog.regtype then format('$1 -> %L', f.name)
      else format('($1 ->> %L)::%s.%I', f.name, t.typnamespace::pg_catalog.regnamespace, t.typname)
    end, ', ')
  from sync._entities() e
  cross join jsonb_object_keys(fields) as f (name)
  join pg_catalog.pg_attribute a on a.attrelid = e.of_table::pg_catalog.regclass
    and a.attname = lower(regexp_replace(f.name, '([A-Z])', '_\1', 'g') collate "C")
  join pg_catalog.pg_type t on t.oid = a.atttypid
  where e.entity_type = _columns.entity_type and f.name = any (e.writable)
  having count(*) = (select count(*) from jsonb_object_keys(fields))
$$;

create or replace function sync.write(claims jsonb, action text, type text, id text, space_id text, fields jsonb,
  full_spaces text[] default '{}', out data json, out in_space text, out version bigint)
language plpgsql
volatile
security definer
set search_path = ''
as $$
<<here>>
declare
  of_table pg_catalog.text;
  noun pg_catalog.text;
  names pg_catalog.text;
  terms pg_catalog.text;
  is_same boolean;
  full_space pg_catalog.text;
begin
  select e.of_table, e.noun into here.of_table, here.noun from sync._entities() e where e.entity_type = type;
  if of_table is null or action is null or action not in ('create', 'update', 'delete') then
    raise exception 'there is no % of %', action, type using errcode = 'invalid_parameter_value';
  end if;
  if action = 'create' then
    fields := case when claims is null then '{}' else jsonb_build_object('ownerId', claims -> 'being') end
      || fields || jsonb_build_object('id', id);
    if fields ->> 'type' = 'space' and fields ->> 'locationId' is null then
      fields := fields - 'locationId';  -- the trigger puts it into itself
    end if;
  end if;
  if action <> 'create' or fields ->> 'type' is distinct from 'space' or fields ->> 'locationId' <> id then
    perform sync._demand_space(fields ->> 'locationId');
  end if;
  select c.names, c.terms into here.names, here.terms from sync._columns(type, fields) c;
  if names is null and action <> 'delete' or action = 'update' and fields ? 'id' then
    raise exception 'there is no field to write, or one that may not be written: %', fields
      using errcode = 'invalid_parameter_value';
  end if;

  -- The policy is asked by the statement that writes: it sees the tables as they were before. In it %1$s is the table,
  -- %2$s the row as clients see it, %3$s the columns, %4$s their terms; $1 the fields, $2 the claims, $3 the ID, $4 the space.
  execute format(case action
    when 'create' then $create$
      insert into %1$s as e (%3$s)
      select %4$s
      on conflict (id) do nothing
      returning %2$s, e.location_id,
        sync._demand($2, 'create', e.location_id, (%2$s)::pg_catalog.jsonb),
        sync._demand_owner($2, $2 ->> 'being', e.owner_id)
    $create$
    when 'update' then $update$
      update %1$s as e
      set (%3$s) = row(%4$s)
      where e.id = $3 and e.location_id is not distinct from coalesce($4, e.location_id)
        and sync._demand($2, 'update', e.location_id, (%2$s)::pg_catalog.jsonb)
        and sync._demand_owner($2, e.owner_id, case when $1 ? 'ownerId' then $1 ->> 'ownerId' else e.owner_id end)
      returning %2$s, e.location_id, sync._demand($2, 'update', e.location_id, (%2$s)::pg_catalog.jsonb)
    $update$
    when 'delete' then $delete$
      with going as materialized (
        select e.id, e.location_id, %2$s as wire
        from %1$s as e
        where e.id = $3 and e.location_id is not distinct from coalesce($4, e.location_id)
          and sync._demand($2, 'delete', e.location_id, (%2$s)::pg_catalog.jsonb)
        for update
      )
      delete from %1$s as e using going as g where e.id = g.id
      returning g.wire, g.location_id
    $delete$
  end, of_table, format('sync.%I(e.*)', type || '_json'), names, terms)
  into data, in_space
  using fields, claims, id, space_id;

  if data is null then
    select w.wire, w.space_id into data, in_space from sync._wire(type, id) w;
    if data is not null then
      perform sync._demand(claims, action, in_space, data::pg_catalog.jsonb);
    end if;
    if action <> 'create' then
      perform sync._demand_row(data, type, id, in_space, space_id);
      raise exception 'the database has the % %, but did not % it: a trigger on % dropped the %',
        noun, id, action, of_table, action;
    elsif data is null then
      raise exception 'the database took the %, but stored nothing: a trigger on % dropped it', noun, of_table;
    end if;
    -- A safe retry, if it says the same.
    perform sync._demand_owner(claims, claims ->> 'being', fields ->> 'ownerId');
    execute format('select row(%s) is not distinct from row(%s) from %s as e where e.id = $2', names, terms, of_table)
    into is_same
    using fields, id;
    if is_same is not true then
      raise exception 'there is another % with the ID %: take a new ID, or update that one', noun, id;
    end if;
  end if;

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
  'Creates, updates or deletes a being or an intention, in that space if one is given: the row as clients see it, where it
is, and at which version, if that is known now (else sync.reach() tells it). fields: what to write, by the names of the
wire; the owner of what somebody with claims creates is their being. A create with an ID that is taken is a safe retry.
Raises SF403 where sync.authorize() does not say true, SF429 for one of full_spaces, SF404 where there is no such space,
no_data_found where there is no such row, and raise_exception (P0001) where it conflicts with what is there.';
