-- Chapter 3, continued: what happened since. Live delivery and catch-up are one function: the relay asks it for the
-- changes of many spaces at once, each since the version that some of its readers have. resolve_cursor turns what a
-- client says it has into such a version.
-- sync.changes says which entities have changed, the tables say what they are now. A table may be further than the
-- version, by what is committed and not recorded yet. So when an answer has one entity that a note names, it has all
-- that the notes of the space name: a transaction is in it whole (P5), and comes once more with its version.

-- A change as the event that a client at version since gets. The label of what came and went unrecorded is ''.
create or replace function sync._event(change sync.changes, since bigint, out event text, out verb text, out list text)
language plpgsql
stable
strict
set search_path = ''
as $$
declare
  w pg_catalog.record;
begin
  select * into w from sync._wire(change.entity_type, change.entity_id);
  list := w.list_name;
  if change.space_id <> all (w.space_ids) then
    w.wire := null;
  end if;
  verb := case
    when w.wire is null then 'delete'
    when change.created_version > since or change.deleted_at is not null then 'add'
    else 'update'
  end;
  event := '{"type":"' || change.entity_type || case verb when 'delete' then '-deleted"' when 'add' then '-created"' else '-updated"' end
    || case when w.label_name <> 'id' then ',"' || w.label_name || '":' || to_json(coalesce(w.label, change.label, '')) else '' end
    || ',"version":' || change.version
    || case when w.wire is null or w.label_name = 'id' then ',"id":' || to_json(change.entity_id) else '' end
    || coalesce(',"data":' || w.wire, '') || '}';
end
$$;

create or replace function sync.changes_since(space_ids text[], versions bigint[], max integer)
returns table (space_id text, since bigint, version bigint, cursor text, events text[], types text[], change text, age_ms double precision)
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
  perform sync._hold_off_truncate();
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
    end, changed.types, changed.change, (extract(epoch from clock_timestamp() - here.raised_at) * 1000)::double precision
  from (select sync.epoch() as epoch) as present
  cross join unnest(space_ids, versions) as wanted (space_id, since)
  cross join lateral (
    select coalesce(max(s.version), 0) as version, coalesce(max(s.floor), 0) as floor, max(s.raised_at) as raised_at
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
      array_agg(distinct c.list) as types,
      min('{"type":"' || c.verb || '","entityType":"' || (c.change).entity_type || '","entityId":' || to_json((c.change).entity_id) || '}')
      filter (where c.total = 1) as change
    from (
      select o.*, e.*, sum(octet_length(e.event)) over () as bytes
      from (
        select a.change, row_number() over in_order as n, count(*) over () as total
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
            coalesce(case when k.deleted_at is null then k.created_version end, here.version),
            coalesce(nullif(f.label, ''), k.label), null)::sync.changes
          from noted n
          cross join lateral unnest(sync._find(n.entity_type, wanted.space_id, array[n.entity_id])) as f (label)
          left join sync.changes k
            on (k.entity_id, k.entity_type, k.space_id) = (n.entity_id, n.entity_type, wanted.space_id)
          where not n.is_recorded
            and (select bool_or(o.is_recorded) from noted o)
            and (f.label is not null or k.version is not null and k.deleted_at is null or n.is_of_many
              or sync._is_filling(n.entity_type))
        ) as a
        window in_order as (order by (a.change).version, (a.change).entity_type,
          length((a.change).label), (a.change).label collate "C", (a.change).entity_id)
      ) as o
      cross join lateral sync._event(case when o.total <= max then o.change end, wanted.since) as e
    ) as c
  ) as changed on wanted.since between here.floor and here.version - 1;
end
$$;
comment on function sync.changes_since(text[], bigint[], integer) is
  'For each space what changed in it after a version, as events in version order; the last one has prev and cursor. types: the lists that
they are in; change: which one it is, if it is just one; age_ms: how long ago the last version was recorded. No events ({}) when nothing changed; null when more than
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
declare
  k sync.tracked;
  e pg_catalog.record;
  came_in pg_catalog.text;
  since_at timestamp with time zone;
  is_time boolean;
  resolved bigint;
begin
  if since ~ '^[0-9a-f]{16}\.[0-9]{1,18}$' then
    if split_part(since, '.', 1) = sync.epoch() then
      resolved := split_part(since, '.', 2);
    end if;
  elsif since ~ '^[0-9]{1,18}$' then
    resolved := since;
  else
    -- What has a label has a time: messages. The version in which one came, and not an earlier one of its ID.
    select t.* into k from sync.tracked t where t.label_column is not null order by t.listed_as nulls last limit 1;
    select * into e from sync._texts(k);
    came_in := format('(select c.created_version from sync.changes c where (c.entity_id, c.entity_type) = (%s, $2)
      and c.space_id || %L = $1 and c.label = %s)', e.id, '', e.label);  -- by the primary key

    is_time := since ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?$';
    if since ~ '^msg_[0-9]{1,18}$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
      or not is_time and k.of_table <> 'public.intentions'  -- the labels of others may be anything
    then
      execute format('select %s from %s t where t.%I = $3::%s and %s || %L = $1',
        came_in, e.rows, k.label_column, e.types ->> k.label_column, e.spaces, '')
      into resolved using space_id, k.entity_type, since;
    elsif is_time then
      -- A time without a zone is in UTC, whatever the session's is.
      since_at := case when since ~ '[T ].*[Z+-]'
        then since::timestamp with time zone
        else since::timestamp at time zone 'UTC'
      end;
      -- From the last message before that time on, or from a later one of which the commit was earlier. Where no
      -- message is before it, nothing says what happened when.
      execute format('
        select case when (array_agg(m.version order by m.at))[1] is not null then min(m.version) end
        from (
          select t.%1$I as at, %2$s as version
          from %3$s t
          where t.%4$I = $1::%5$s and t.%1$I >= (
            select o.%1$I from %3$s o where o.%4$I = $1::%5$s and o.%1$I < $3 order by o.%1$I desc limit 1)
          order by t.%1$I
          limit 1001
        ) as m', k.sorted_by, came_in, e.rows, k.space_columns[1], e.types ->> k.space_columns[1])
      into resolved using space_id, k.entity_type, since_at;
    else
      raise data_exception;
    end if;
    -- Who has a message may have read it before it was recorded, while one recording was under way that did not see it. So
    -- all comes once more from two versions before it on.
    resolved := case when resolved is not null then greatest(resolved - 2, 0) end;
  end if;

  return (
    select resolved
    from (values (resolve_cursor.space_id)) as here (space_id)
    left join sync.spaces s using (space_id)
    where resolved between coalesce(s.floor, 0) and coalesce(s.version, 0));
exception when data_exception then
  raise exception 'since: "%" is none of a cursor, a version, a message ID and an ISO 8601 time', since
    using errcode = 'invalid_parameter_value';
end
$$;
comment on function sync.resolve_cursor(text, text) is
  'The version that a cursor, a bare version, a message ID or a time stands for; null where only a snapshot will do.
Of a message ID it is two versions before that in which it came, so that nothing of those beside it is missed. Raises
invalid_parameter_value for anything else.';
