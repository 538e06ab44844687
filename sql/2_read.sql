-- Chapter 2: the read path. What the relay calls, and what leaves the database.
--   being_json, intention_json   the only place that names the columns that leave (P9)
--   epoch, current_cursor        <epoch>.<version> names a state of a space, in this incarnation of the data
--   messages, snapshot           a space as it is, from one MVCC snapshot (P7)
--   resolve_cursor               what a client says it has, as a version
-- The functions return the JSON that is sent: the relay builds no row.

create or replace function sync.being_json(being public.beings)
returns json
language sql
stable
set search_path = ''
as $$
  select json_build_object(
    'id', being.id,
    'name', being.name,
    'type', being.type,
    'ownerId', being.owner_id,
    'locationId', being.location_id,
    'metadata', being.metadata,
    'properties', being.properties,
    'content', being.content,
    'createdAt', to_char(being.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'modifiedAt', to_char(being.modified_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  )
$$;
comment on function sync.being_json(public.beings) is 'A being as clients see it. A column that is not named here never leaves (P9).';


create or replace function sync.intention_json(intention public.intentions)
returns json
language sql
stable
set search_path = ''
as $$
  select json_build_object(
    'id', intention.id,
    'messageId', intention.message_id,
    'name', intention.name,
    'type', intention.type,
    'state', intention.state,
    'ownerId', intention.owner_id,
    'locationId', intention.location_id,
    'content', intention.content,
    'createdAt', to_char(intention.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'modifiedAt', to_char(intention.modified_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  )
$$;
comment on function sync.intention_json(public.intentions) is 'A message as clients see it. A column that is not named here never leaves (P9).';


create or replace function sync.epoch()
returns text
language sql
stable
security definer
set search_path = ''
as $$
  -- The server and the database tell a dump that was restored elsewhere, the timeline tells a failover or a
  -- restore to an earlier point. The write position has the timeline at once; the control file only after
  -- the first checkpoint, but a standby has nothing else.
  select lpad(to_hex(hashtextextended(concat_ws(' ',
    i.epoch,
    (select c.system_identifier from pg_control_system() c),
    (select d.oid from pg_catalog.pg_database d where d.datname = current_database()),
    case when pg_is_in_recovery()
      then (select lpad(to_hex(c.timeline_id), 8, '0') from pg_control_checkpoint() c)
      else lower(left(pg_walfile_name(pg_current_wal_lsn()), 8))
    end
  ), 0)), 16, '0')
  from sync.instance i
$$;
comment on function sync.epoch() is 'Names this incarnation of the data, in 16 hex digits: a cursor of another one is foreign (P11).';


create or replace function sync.current_cursor(space_id text)
returns text
language sql
stable
security definer
set search_path = ''
as $$
  select sync.epoch() || '.' || coalesce(
    (select s.version from sync.spaces s where s.space_id = current_cursor.space_id),
    (select 0 from public.beings b where b.id = current_cursor.space_id and b.type = 'space')
  )
$$;
comment on function sync.current_cursor(text) is
  'The cursor of a space as it is now; null when there is no such space. A space is there once a being of type
space has its ID, or anything was ever in it.';


create or replace function sync.messages(
  space_id text,
  message_limit integer,
  before text default null,
  out messages json,
  out last_message_id text,
  out has_more boolean
)
language plpgsql
stable
security definer
set search_path = ''
set enable_bitmapscan = off  -- a limit of an index's order: a bitmap would read all of it first
as $$
declare
  before_space_id pg_catalog.text;
  before_at timestamp with time zone := 'infinity';
  before_number bigint;
begin
  if before is not null then
    select i.location_id, i.created_at, substr(i.message_id, 5)::bigint
    into before_space_id, before_at, before_number
    from public.intentions i
    where i.message_id = before;
    if before_space_id is distinct from messages.space_id then
      raise exception 'before: there is no message % in space %', before, messages.space_id
        using errcode = 'no_data_found';
    end if;
  end if;

  -- The index has the messages by created_at; those of one instant are sorted by their numbers here.
  with page as (
    select
      i as message,
      i.message_id,
      i.created_at,
      substr(i.message_id, 5)::bigint as number
    from public.intentions i
    where i.location_id = messages.space_id
      and i.created_at <= before_at
      and (i.created_at < before_at or substr(i.message_id, 5)::bigint < before_number)
    order by i.created_at desc, number desc
    limit message_limit + 1
  ), numbered as (
    select p.*, row_number() over (order by p.created_at desc, p.number desc) as n
    from page p
  )
  select
    coalesce(json_agg(sync.intention_json(p.message) order by p.n desc) filter (where p.n <= message_limit), '[]'),
    max(p.message_id) filter (where p.n = 1),
    count(*) > message_limit
  into messages.messages, last_message_id, has_more
  from numbered p;
end
$$;
comment on function sync.messages(text, integer, text) is
  'A page of a space''s messages, oldest first: the newest message_limit of them, or of those before a message.
Raises no_data_found when there is no such message in the space.';


create or replace function sync.snapshot(
  space_id text,
  message_limit integer default 100
)
returns table (
  version bigint,
  cursor text,
  beings json,
  intentions json,
  last_message_id text,
  has_more boolean
)
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- TRUNCATE is not MVCC-safe: a snapshot that was taken while waiting for its lock would show an empty table at
  -- the version before. Volatile, so that the query takes its snapshot after the lock.
  lock table public.beings, public.intentions in access share mode;
  return query
  select
    split_part(here.cursor, '.', 2)::bigint,
    here.cursor,
    coalesce(
      (select json_agg(sync.being_json(b) order by b.created_at, b.id)
       from public.beings b
       where b.location_id = snapshot.space_id),
      '[]'),
    m.messages,
    m.last_message_id,
    m.has_more
  from (select sync.current_cursor(snapshot.space_id) as cursor) as here,
    sync.messages(snapshot.space_id, coalesce(message_limit, 100)) as m
  where here.cursor is not null;
end
$$;
comment on function sync.snapshot(text, integer) is
  'A space as it is: its beings, its newest messages (oldest first), and the cursor that they stand at, all from
one MVCC snapshot (P7). No row when there is no such space.';


create or replace function sync.resolve_cursor(
  space_id text,
  since text
)
returns bigint
language plpgsql
stable
strict
security definer
set search_path = ''
set enable_bitmapscan = off  -- a limit of an index's order: a bitmap would read all of it first
as $$
declare
  since_at timestamp with time zone;
  resolved bigint;
begin
  if since ~ '^[0-9a-f]{16}\.[0-9]{1,18}$' then
    if split_part(since, '.', 1) = sync.epoch() then
      resolved := split_part(since, '.', 2);
    end if;

  elsif since ~ '^[0-9]{1,18}$' then
    resolved := since;

  elsif since ~ '^msg_[0-9]{1,18}$' then
    select c.created_version
    into resolved
    from public.intentions i
    cross join lateral (
      select k.created_version
      from sync.changes k
      where k.entity_id = i.id
        and k.entity_type = 'intention'
        and k.space_id || '' = i.location_id  -- by the primary key, also without statistics
      offset 0
    ) as c
    where i.message_id = since
      and i.location_id || '' = resolve_cursor.space_id;

  else
    begin
      if since !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?$' then
        raise datetime_field_overflow;
      end if;
      -- A time without a zone is in UTC, whatever the session's is.
      since_at := case when since ~ '[T ].*[Z+-]'
        then since::timestamp with time zone
        else since::timestamp at time zone 'UTC'
      end;
    exception
      when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
        raise exception 'since: "%" is none of a cursor, a version, a message ID and an ISO 8601 time', since
          using errcode = 'invalid_parameter_value';
    end;
    -- From the last message before that time on, or from a later one of which the commit was earlier. Where no
    -- message is before it, nothing says what happened when.
    select case when bool_or(created.is_before) then min(created.version) end
    into resolved
    from (
      select m.offset_by = 0 as is_before, m.offset_by + c.created_version as version
      from (
        (select 0 as offset_by, i.id
         from public.intentions i
         where i.location_id = resolve_cursor.space_id
           and i.created_at < since_at
         order by i.created_at desc
         limit 1)
        union all
        (select -1, i.id
         from public.intentions i
         where i.location_id = resolve_cursor.space_id
           and i.created_at >= since_at
         order by i.created_at
         limit 1000)
      ) as m
      cross join lateral (
        select k.created_version
        from sync.changes k
        where k.entity_id = m.id
          and k.entity_type = 'intention'
          and k.space_id || '' = resolve_cursor.space_id
        offset 0
      ) as c
    ) as created;
  end if;

  return (
    select resolved
    from (
      select coalesce(max(s.version), 0) as version, coalesce(max(s.floor), 0) as floor
      from sync.spaces s
      where s.space_id = resolve_cursor.space_id
    ) as here
    where resolved between here.floor and here.version
  );
end
$$;
comment on function sync.resolve_cursor(text, text) is
  'The version that a cursor, a bare version, a message ID (at its creation) or a time stands for; null where
only a snapshot will do. Raises invalid_parameter_value for anything else.';
