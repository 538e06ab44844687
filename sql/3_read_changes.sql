-- Chapter 3, continued: what happened since. Live delivery and catch-up are one function: the relay asks it for the
-- changes of many spaces at once, each since the version that some of its readers have. resolve_cursor turns what a
-- client says it has into such a version.
-- sync.changes says which entities have changed, the tables say what they are now. A table may be further than the
-- version, by what is committed and not recorded yet. So when an answer has one entity that a note names, it has all
-- that the notes of the space name: a transaction is in it whole (P5), and comes once more with its version.

-- A change as the event that a client at version since gets.
create or replace function sync._event(change sync.changes, since bigint)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  wire pg_catalog.json;
  message_id pg_catalog.text;
begin
  select w.wire, w.message_id
  into wire, message_id
  from sync._wire(change.entity_type, change.entity_id) w
  where w.space_id = change.space_id;
  return '{"type":"' || change.entity_type || case
      when wire is null then '-deleted"'
      when change.created_version > since or change.deleted_at is not null then '-created"'
      else '-updated"'
    end
    || coalesce(',"messageId":' || to_json(nullif(coalesce(message_id, change.message_id), '')), '')
    || ',"version":' || change.version || coalesce(',"data":' || wire, ',"id":' || to_json(change.entity_id)) || '}';
end
$$;

create or replace function sync.changes_since(space_ids text[], versions bigint[], max integer)
returns table (space_id text, since bigint, version bigint, cursor text, events text[], types text[], change text)
language plpgsql
volatile
security definer
set search_path = ''
set row_security = off
set lock_timeout = '400ms'  -- as in sync.snapshot()
set enable_seqscan = off  -- the plan may be of a time when the queue was empty
set enable_bitmapscan = off  -- a limit of an index's order: a bitmap would read all of it first
set plan_cache_mode = force_generic_plan  -- always by index: planning anew would take longer than the query
set jit = off  -- the generic plan expects more than there is: compiling it would take ten times the query
as $$
declare
  most_bytes constant integer := sync._most_bytes();
  from_xid constant pg_catalog.xid8 := sync._recorded_below();
begin
  lock table public.beings, public.intentions in access share mode;  -- as in sync.snapshot()
  return query
  with pending as materialized (
    -- Where TRUNCATE has emptied the table, entity_id is null.
    select n.space_id, n.entity_type, e.entity_id,
      min(n.xid::pg_catalog.text::bigint) < max(n.xid::pg_catalog.text::bigint) as is_of_many
    from sync.notes n
    left join unnest(n.entity_ids) as e (entity_id) on true
    where n.xid >= from_xid and n.space_id = any (space_ids)
    group by n.space_id, n.entity_type, e.entity_id
  )
  select wanted.space_id, wanted.since, here.version, present.epoch || '.' || here.version, case
      when wanted.since = here.version then '{}'
      -- A version that is not to be had in events: pruned, truncated or of another history.
      when wanted.since not between here.floor and here.version then null
      else changed.events
    end, changed.types, changed.change
  from (select sync.epoch() as epoch) as present
  cross join unnest(space_ids, versions) as wanted (space_id, since)
  cross join lateral (
    select coalesce(max(s.version), 0) as version, coalesce(max(s.floor), 0) as floor
    from sync.spaces s
    where s.space_id = wanted.space_id
  ) as here
  left join lateral (
    -- All or nothing: what was changed again later is missing from its version, so that only the whole is a
    -- state that the database had (P5). More than max, or more than is sent in one piece: no events.
    -- Nor where TRUNCATE waits to be recorded.
    select case when count(*) between 1 and max and max(c.bytes) <= most_bytes
      and not exists (select from pending p where p.space_id = wanted.space_id and p.entity_id is null)
    then
      array_agg(
        case when c.n < c.total then c.event else
          left(c.event, -1) || ',"prev":' || wanted.since || ',"cursor":"' || present.epoch || '.' || here.version || '"}'
        end
        order by c.n) filter (where c.bytes <= most_bytes)
      end as events,
      array_agg(distinct (c.change).entity_type) as types,
      min('{"type":"' || case split_part(c.event, '"', 4)
          when (c.change).entity_type || '-created' then 'add'
          when (c.change).entity_type || '-updated' then 'update'
          else 'delete'
        end || '","entityType":"' || (c.change).entity_type || '","entityId":' || to_json((c.change).entity_id) || '}')
      filter (where c.total = 1) as change
    from (
      select c.*, sum(octet_length(c.event)) over () as bytes
      from (
        select c.change, row_number() over in_order as n, count(*) over () as total,
          case when count(*) over () <= max then sync._event(c.change, wanted.since) end as event
        from (
          with recorded as materialized (
            select k
            from sync.changes k
            where k.space_id = wanted.space_id and k.version > wanted.since
            order by k.version
            limit max + 1
          ), noted as materialized (
            select p.entity_type, p.entity_id, p.is_of_many,
              exists (
                select from recorded r where ((r.k).entity_type, (r.k).entity_id) = (p.entity_type, p.entity_id)
              ) as is_recorded
            from pending p
            where p.space_id = wanted.space_id
          )
          select r.k as change
          from recorded r
          union all
          select row(wanted.space_id, n.entity_type, n.entity_id, here.version,
            coalesce(case when c.deleted_at is null then c.created_version end, here.version),
            coalesce(f.is_there, c.message_id, case n.entity_type when 'intention' then 'msg_0' end), null)::sync.changes
          from noted n
          cross join lateral unnest(sync._find(n.entity_type, wanted.space_id, array[n.entity_id])) as f (is_there)
          left join sync.changes c
            on (c.entity_id, c.entity_type, c.space_id) = (n.entity_id, n.entity_type, wanted.space_id)
          where not n.is_recorded
            and (select bool_or(o.is_recorded) from noted o)
            and (f.is_there is not null or c.version is not null and c.deleted_at is null or n.is_of_many)
        ) as c
        window in_order as (order by (c.change).version, (c.change).entity_type,
          nullif(substr((c.change).message_id, 5), '')::bigint, (c.change).entity_id)
      ) as c
    ) as c
  ) as changed on wanted.since between here.floor and here.version - 1;
end
$$;
comment on function sync.changes_since(text[], bigint[], integer) is
  'For each space what changed in it after a version, as events in version order; the last one has prev and cursor. types: of
the entities in them; change: which one it is, if it is just one. No events ({}) when nothing changed; null when more than
max entities did, when their events are more than 64 MiB, or when the version is not of this history: take a snapshot then.';

create or replace function sync.resolve_cursor(space_id text, since text)
returns bigint
language plpgsql
stable
strict
security definer
set search_path = ''
set row_security = off
set enable_bitmapscan = off  -- a limit of an index's order: a bitmap would read all of it first
set jit = off  -- as in sync.changes_since()
as $$
<<asked>>
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
    -- Who has a message may have read it before it was recorded, while one recording was under way that did not see it. So
    -- all comes once more from two versions before it on.
    select (
      select greatest(k.created_version - 2, 0)
      from sync.changes k
      where (k.entity_id, k.entity_type) = (i.id, 'intention') and k.space_id || '' = i.location_id  -- by the primary key
        and k.message_id = i.message_id  -- and not of an earlier life
    )
    into resolved
    from public.intentions i
    where i.message_id = resolve_cursor.since and i.location_id || '' = resolve_cursor.space_id;

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
    select case when (array_agg(m.version order by m.created_at))[1] is not null then greatest(min(m.version) - 2, 0) end
    into resolved
    from (
      select i.created_at, (
        select k.created_version
        from sync.changes k
        where (k.entity_id, k.entity_type) = (i.id, 'intention') and k.space_id || '' = i.location_id
          and k.message_id = i.message_id
      ) as version
      from public.intentions i
      where i.location_id = resolve_cursor.space_id and i.created_at >= (
        select o.created_at
        from public.intentions o
        where o.location_id = resolve_cursor.space_id and o.created_at < asked.since_at
        order by o.created_at desc
        limit 1)
      order by i.created_at
      limit 1001
    ) as m;
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
  'The version that a cursor, a bare version, a message ID or a time stands for; null where only a snapshot will do.
Of a message ID it is two versions before that in which it came, so that nothing of those beside it is missed. Raises
invalid_parameter_value for anything else.';
