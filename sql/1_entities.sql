-- Chapter 1: beings and intentions. All that is particular to the two tables: what a row is completed with when it is
-- written, what of it leaves, and how it is found. The chapters after this one know entities: a type and an ID.
-- A table may have columns of any name beside ours. So what is asked of it is qualified: a row is alias.*, since an alias
-- alone would be a column of that name, and a variable has the name of its function before it.
-- Every function runs as its owner: a writer needs rights on public.beings and public.intentions only. A row that a policy
-- hides from the owner is an error and not a deletion: so row_security = off, which is what it says.

create or replace function sync._place()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  new.location_id := new.id;
  return new;
end
$$;
comment on function sync._place() is 'A space that is created without a location is in itself, so that its name is in its own feed.';


create or replace function sync._name_message()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- A name that the writer brings along is not used: it could be one that the sequence will give out.
  new.message_id := 'msg_' || nextval('sync.message_number');
  return new;
end
$$;
comment on function sync._name_message() is 'Assigns message_id.';


-- The stamps decide what a change is: modified_at moves with what leaves, and with nothing else. They compare byte by
-- byte, since 1.0 and 1.00 in jsonb are equal and look different. They are the last of the BEFORE triggers, by name.

create or replace function sync._has_virtual(table_id oid)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select
    from pg_catalog.pg_attribute a
    where a.attrelid = table_id
      and a.attgenerated = 'v'
  )
$$;
comment on function sync._has_virtual(oid) is 'Whether a table has virtual columns, which a trigger does not see.';


create or replace function sync._stamp_being()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if new.modified_at = old.modified_at
    and (
      record_image_ne(
        row(old.id, old.name, old.type, old.owner_id, old.location_id, old.metadata, old.properties, old.content),
        row(new.id, new.name, new.type, new.owner_id, new.location_id, new.metadata, new.properties, new.content)
      )
      or record_image_ne(old, new)
      and (sync._has_virtual(tg_relid) or sync.being_json(old)::pg_catalog.text <> sync.being_json(new)::pg_catalog.text)
    )
  then
    new.modified_at := greatest(clock_timestamp(), old.modified_at + interval '1 microsecond');
  end if;
  return new;
end
$$;
comment on function sync._stamp_being() is 'Moves modified_at on an update that changes what leaves and does not set it.';


create or replace function sync._stamp_intention()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if new.message_id is distinct from old.message_id then
    new.message_id := old.message_id;
  end if;
  if new.modified_at = old.modified_at
    and (
      record_image_ne(
        row(old.id, old.name, old.type, old.state, old.owner_id, old.location_id, old.content),
        row(new.id, new.name, new.type, new.state, new.owner_id, new.location_id, new.content)
      )
      or record_image_ne(old, new)
      and (sync._has_virtual(tg_relid) or sync.intention_json(old)::pg_catalog.text <> sync.intention_json(new)::pg_catalog.text)
    )
  then
    new.modified_at := greatest(clock_timestamp(), old.modified_at + interval '1 microsecond');
  end if;
  return new;
end
$$;
comment on function sync._stamp_intention() is
  'Keeps message_id, and moves modified_at on an update that changes what leaves and does not set it.';


-- What leaves. These two are the DBA's to replace, with "create or replace function": they are created only where they
-- are missing. After a change run sync.reset(), since it is no change of a row. They are called as the owner: pg_temp is
-- named last, or else it is first, and a type in it that somebody has made would run his code wherever yours casts.
do $$
begin
  if to_regprocedure('sync.being_json(public.beings)') is null then
    create function sync.being_json(being public.beings)
    returns json
    language sql
    stable
    set search_path = pg_catalog, pg_temp
    as $json$
      select row_to_json(wire)
      from (
        select
          being.id as "id",
          being.name as "name",
          being.type as "type",
          being.owner_id as "ownerId",
          being.location_id as "locationId",
          being.metadata as "metadata",
          being.properties as "properties",
          being.content as "content",
          to_char(being.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "createdAt",
          to_char(being.modified_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "modifiedAt"
      ) as wire
    $json$;
    comment on function sync.being_json(public.beings) is 'A being as clients see it. A column that is not named here never leaves (P9).';
  end if;

  if to_regprocedure('sync.intention_json(public.intentions)') is null then
    create function sync.intention_json(intention public.intentions)
    returns json
    language sql
    stable
    set search_path = pg_catalog, pg_temp
    as $json$
      select row_to_json(wire)
      from (
        select
          intention.id as "id",
          intention.message_id as "messageId",
          intention.name as "name",
          intention.type as "type",
          intention.state as "state",
          intention.owner_id as "ownerId",
          intention.location_id as "locationId",
          intention.content as "content",
          to_char(intention.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "createdAt",
          to_char(intention.modified_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "modifiedAt"
      ) as wire
    $json$;
    comment on function sync.intention_json(public.intentions) is 'A message as clients see it. A column that is not named here never leaves (P9).';
  end if;
end
$$;


-- Finding a row. Only the table of that type is looked at: one that somebody has locked does not hold up the other.

create or replace function sync._wire(
  entity_type text,
  id text,
  out wire json,
  out space_id text,
  out message_id text
)
language plpgsql
stable
security definer
set search_path = ''
set row_security = off
as $$
begin
  case entity_type
    when 'intention' then
      select sync.intention_json(i.*), i.location_id, i.message_id
      into wire, space_id, message_id
      from public.intentions i
      where i.id = _wire.id;
    when 'being' then
      select sync.being_json(b.*), b.location_id
      into wire, space_id
      from public.beings b
      where b.id = _wire.id;
  end case;
  if pg_column_size(wire) > 4::bigint * sync._most_bytes() then
    perform sync._refuse_size(case entity_type when 'intention' then 'the message' else 'the being' end, wire);
  end if;
end
$$;
comment on function sync._wire(text, text) is
  'A being or an intention as clients see it, and the space that it is in; null when there is none.';


create or replace function sync.entity(
  entity_type text,
  id text,
  out wire json,
  out space_id text
)
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  select w.wire, w.space_id into wire, space_id from sync._wire(entity_type, id) w;
end
$$;
comment on function sync.entity(text, text) is
  'The same. Volatile: asked in the statement that writes a row, it sees the row that this has written.';


create or replace function sync._find(
  entity_type text,
  space_ids text[],
  entity_ids text[]
)
returns table (
  space_id text,
  entity_id text,
  is_there text
)
language plpgsql
stable
security definer
set search_path = ''
set row_security = off
as $$
begin
  case entity_type
    when 'intention' then
      return query
      select t.space_id, t.id,
        (select case when i.location_id = t.space_id then i.message_id end from public.intentions i where i.id = t.id)::pg_catalog.text
      from unnest(space_ids, entity_ids) as t (space_id, id);
    when 'being' then
      return query
      select t.space_id, t.id,
        (select case when b.location_id = t.space_id then '' end from public.beings b where b.id = t.id)
      from unnest(space_ids, entity_ids) as t (space_id, id);
  end case;
end
$$;
comment on function sync._find(text, text[], text[]) is
  'For entities of one type, each in a space, whether the table has it there: is_there is the message_id, empty for a
being, and null where it is not.';


create or replace function sync._no_message(entity_type text)
returns text
language sql
immutable
set search_path = ''
as $$ select case entity_type when 'intention' then 'msg_0' else '' end $$;
comment on function sync._no_message(text) is
  'The message_id of what was never recorded and is gone: nobody knows it any more, and no message has this one.';


create or replace function sync._all(only_space_id text default null)
returns table (
  space_id text,
  entity_type text,
  entity_id text,
  message_id text
)
language sql
stable
set search_path = ''
as $$
  select b.location_id, 'being', b.id, null::pg_catalog.text
  from public.beings b
  where b.location_id is not null
    and (_all.only_space_id is null or b.location_id = _all.only_space_id)
  union all
  select i.location_id, 'intention', i.id, i.message_id
  from public.intentions i
  where _all.only_space_id is null
    or i.location_id = _all.only_space_id
$$;
comment on function sync._all(text) is 'Every entity that is in a space, in one of them or in all.';
