-- Chapter 2, continued: what happened since. Live delivery and catch-up are one function: the relay asks it for the
-- changes of many spaces at once, each since the version that some of its readers have.

create or replace function sync._event(
  change sync.changes,
  since bigint
)
returns json
language plpgsql
stable
set search_path = ''
as $$
declare
  kind constant pg_catalog.text := change.entity_type || case
    when change.deleted_at is not null then '-deleted'
    when change.created_version > since then '-created'
    else '-updated'
  end;
begin
  if change.entity_type = 'intention' then
    if change.deleted_at is not null then
      return json_build_object(
        'type', kind, 'messageId', change.message_id, 'version', change.version, 'id', change.entity_id);
    end if;
    return json_build_object(
      'type', kind, 'messageId', change.message_id, 'version', change.version,
      'data', (select sync.intention_json(i) from public.intentions i where i.id = change.entity_id));
  end if;
  if change.deleted_at is not null then
    return json_build_object('type', kind, 'version', change.version, 'id', change.entity_id);
  end if;
  return json_build_object(
    'type', kind, 'version', change.version,
    'data', (select sync.being_json(b) from public.beings b where b.id = change.entity_id));
end
$$;
comment on function sync._event(sync.changes, bigint) is 'A change as the event that a client at version since gets.';


create or replace function sync.changes_since(
  space_ids text[],
  versions bigint[],
  max integer
)
returns table (
  space_id text,
  since bigint,
  version bigint,
  cursor text,
  events text[]
)
language plpgsql
volatile
security definer
set search_path = ''
set enable_bitmapscan = off  -- a limit of an index's order: a bitmap would read all of it first
as $$
begin
  lock table public.beings, public.intentions in access share mode;  -- as in sync.snapshot()
  return query
  select
    wanted.space_id,
    wanted.since,
    here.version,
    present.epoch || '.' || here.version,
    case
      when wanted.since = here.version then '{}'
      -- A version that is not to be had in events: pruned, truncated or of another history.
      when wanted.since not between here.floor and here.version then null
      else changed.events
    end
  from (select sync.epoch() as epoch) as present
  cross join unnest(space_ids, versions) as wanted (space_id, since)
  cross join lateral (
    select coalesce(max(s.version), 0) as version, coalesce(max(s.floor), 0) as floor
    from sync.spaces s
    where s.space_id = wanted.space_id
  ) as here
  left join lateral (
    -- All or nothing: what was changed again later is missing from its version, so that only the whole is a
    -- state that the database had (P5). More than max: no events.
    select case when count(*) between 1 and max then
      array_agg(
        case when c.n < c.total then c.event else
          left(c.event, -1) || ',"prev":' || wanted.since || ',"cursor":"' || present.epoch || '.' || here.version || '"}'
        end
        order by c.n)
      end as events
    from (
      select
        row_number() over in_order as n,
        count(*) over () as total,
        case when count(*) over () <= max then sync._event(c, wanted.since)::pg_catalog.text end as event
      from (
        select *
        from sync.changes c
        where c.space_id = wanted.space_id
          and c.version > wanted.since
        order by c.version
        limit max + 1
      ) as c
      window in_order as (
        order by c.version, c.entity_type, substr(c.message_id, 5)::bigint, c.entity_id
      )
    ) as c
  ) as changed on wanted.since between here.floor and here.version - 1;
end
$$;
comment on function sync.changes_since(text[], bigint[], integer) is
  'For each space what changed in it after a version, as events in version order; the last one has prev and
cursor. No events ({}) when nothing changed; null when more than max entities did, or when the version is not
of this history: take a snapshot then.';
