-- Chapter 1: beings and intentions. All that is particular to the two tables: their columns, what a row is completed
-- with when it is written, what of it leaves, how it is found. The chapters after this one know entities: a type, an ID.
-- A table may have columns of any name beside ours. So what is asked of it is qualified: a row is alias.*, since an alias
-- alone would be a column of that name, and a variable has the name of its function before it.
-- Every function runs as its owner: a writer needs rights on public.beings and public.intentions only. A row that a policy
-- hides from the owner is an error and not a deletion: so row_security = off, which is what it says.

-- The tables, what people call their rows, and the fields that the API may write, by their names on the wire.
create or replace function sync._entities()
returns table (entity_type text, of_table text, noun text, writable text[])
language sql
immutable
set search_path = ''
as $$
  values
    ('being', 'public.beings', 'being',
      '{id,name,type,ownerId,locationId,metadata,properties,content}'::pg_catalog.text[]),
    ('intention', 'public.intentions', 'message', '{id,name,type,state,ownerId,locationId,content}')
$$;

-- Before a row is written, by the last of the BEFORE triggers. A space without a location is in itself: its name is in its
-- own feed. A message gets its name, also where the writer brings one: the sequence could give that out. And modified_at
-- moves with what leaves, and with nothing else. Compared is byte by byte: 1.0 and 1.00 in jsonb are equal, and look different.
create or replace function sync._complete()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  is_changed boolean;
begin
  if tg_op = 'INSERT' then
    if tg_argv[0] = 'being' then
      new.location_id := new.id;
    else
      new.message_id := 'msg_' || nextval('sync.message_number');
    end if;
    return new;
  end if;

  -- Mostly it is one of the columns named here; the wire form costs more.
  if tg_argv[0] = 'intention' then
    new.message_id := old.message_id;
    is_changed := record_image_ne(row(old.state, old.content), row(new.state, new.content)) or record_image_ne(old, new)
      and sync.intention_json(old)::pg_catalog.text <> sync.intention_json(new)::pg_catalog.text;
  else
    is_changed := record_image_ne(row(old.name, old.content), row(new.name, new.content)) or record_image_ne(old, new)
      and sync.being_json(old)::pg_catalog.text <> sync.being_json(new)::pg_catalog.text;
  end if;
  if not is_changed and record_image_ne(old, new) then  -- a trigger does not see virtual columns
    is_changed := exists (select from pg_catalog.pg_attribute a where a.attrelid = tg_relid and a.attgenerated = 'v');
  end if;
  if is_changed and new.modified_at = old.modified_at then
    new.modified_at := greatest(clock_timestamp(), old.modified_at + interval '1 microsecond');
  end if;
  return new;
end
$$;

-- What leaves. These two are the DBA's to replace, with "create or replace function": they are created only where they
-- are missing. After a change run sync.reset(), since it is no change of a row. They are called as the owner: pg_temp is
-- named last, or else it is first, and somebody's type in it would run that person's code as the owner, wherever yours casts.
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
        select being.id as "id", being.name as "name", being.type as "type",
          being.owner_id as "ownerId", being.location_id as "locationId",
          being.metadata as "metadata", being.properties as "properties", being.content as "content",
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
        select intention.id as "id", intention.message_id as "messageId", intention.name as "name",
          intention.type as "type", intention.state as "state",
          intention.owner_id as "ownerId", intention.location_id as "locationId", intention.content as "content",
          to_char(intention.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "createdAt",
          to_char(intention.modified_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "modifiedAt"
      ) as wire
    $json$;
    comment on function sync.intention_json(public.intentions) is 'A message as clients see it. A column that is not named here never leaves (P9).';
  end if;
end
$$;

-- A row as clients see it, and where it is; null when there is none. As in the next one, only the table of that type is
-- looked at: one that somebody has locked does not hold up the other.
create or replace function sync._wire(entity_type text, id text, out wire json, out space_id text, out message_id text)
language plpgsql
stable
security definer
set search_path = ''
set row_security = off
as $$
begin
  case entity_type
    when 'intention' then
      select sync.intention_json(i.*), i.location_id, i.message_id into wire, space_id, message_id
      from public.intentions i where i.id = _wire.id;
    when 'being' then
      select sync.being_json(b.*), b.location_id into wire, space_id
      from public.beings b where b.id = _wire.id;
  end case;
  if pg_column_size(wire) > 4::bigint * sync._most_bytes() then
    raise exception 'the % cannot be sent: % bytes of JSON are too many; make it smaller, in SQL',
      replace(entity_type, 'intention', 'message'), pg_column_size(wire) using errcode = 'program_limit_exceeded';
  end if;
end
$$;

-- Which of these the table has in that space, in their order: the message_id, '' for a being, null where it is not there.
create or replace function sync._find(entity_type text, space_id text, entity_ids text[])
returns text[]
language plpgsql
stable
security definer
set search_path = ''
set row_security = off
as $$
begin
  case entity_type
    when 'intention' then
      return array(
        select (select case when i.location_id = _find.space_id then i.message_id end from public.intentions i where i.id = e.id)
        from unnest(entity_ids) as e (id));
    when 'being' then
      return array(
        select (select case when b.location_id = _find.space_id then '' end from public.beings b where b.id = e.id)
        from unnest(entity_ids) as e (id));
  end case;
end
$$;

-- Every entity that is in a space, in one of them or in all.
create or replace function sync._all(only_space_id text)
returns table (space_id text, entity_type text, entity_id text, message_id text, is_there boolean)
language sql
stable
set search_path = ''
as $$
  select b.location_id, 'being', b.id, null::pg_catalog.text, true
  from public.beings b
  where b.location_id = coalesce(_all.only_space_id, b.location_id)
  union all
  select i.location_id, 'intention', i.id, i.message_id, true
  from public.intentions i
  where i.location_id = coalesce(_all.only_space_id, i.location_id)
$$;
