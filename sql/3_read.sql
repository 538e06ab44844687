-- Chapter 3, continued: what the relay reads.
--   epoch, current_cursor      <epoch>.<version> names a state of a space, in this incarnation of the data
--   snapshot, state            a space as it is, from one MVCC snapshot (P7)
-- Then what happened since (3_read_changes.sql). The functions return the JSON that is sent: the relay builds no row. It
-- holds each as one text, which may not be of any length: what is more than sync._most_bytes() is cut where it is pages,
-- and else refused (program_limit_exceeded).

create or replace function sync.epoch()
returns text
language sql
stable
security definer
set search_path = ''
as $$
  -- The server, the database and the table tell a dump that was restored, the timeline tells a failover or a
  -- restore to an earlier point. The write position has the timeline at once; the control file only after
  -- the first checkpoint, but a standby has nothing else.
  select lpad(to_hex(hashtextextended(concat_ws(' ',
    i.epoch,
    (select c.system_identifier from pg_control_system() c),
    (select d.oid from pg_catalog.pg_database d where d.datname = current_database()),
    'sync.spaces'::pg_catalog.regclass::pg_catalog.oid,
    case when pg_is_in_recovery()
      then (select lpad(to_hex(c.timeline_id), 8, '0') from pg_control_checkpoint() c)
      else lower(left(pg_walfile_name(pg_current_wal_lsn()), 8))
    end
  ), 0)), 16, '0')
  from sync.instance i
$$;
comment on function sync.epoch() is 'Names this incarnation of the data, in 16 hex digits: a cursor of another one is foreign (P11).';

-- The version of a space; 0 before anything was in it, when a being of type space has its ID; null when there is no such space.
create or replace function sync._version(space_id text)
returns bigint
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(
    (select s.version from sync.spaces s where s.space_id = _version.space_id and s.version > 0),
    (select 0 from sync._wire('being', _version.space_id) w where w.wire ->> 'type' = 'space'))
$$;

create or replace function sync.current_cursor(space_id text)
returns text
language sql
stable
set search_path = ''
as $$
  select sync.epoch() || '.' || sync._version(space_id)
$$;
comment on function sync.current_cursor(text) is 'The cursor of a space as it is now; null when there is no such space.';

-- TRUNCATE is not MVCC-safe: a snapshot that was taken while waiting for its lock would show an empty table at the version
-- before. So who reads locks first, and takes its snapshot then: of the tables in these lists, or of all.
create or replace function sync._hold_off_truncate(mode text default 'access share', types text[] default null)
returns void
language plpgsql
set search_path = ''
as $$
declare
  tables pg_catalog.text;
begin
  select string_agg(k.of_table, ', ') into tables
  from sync.tracked k
  where to_regclass(k.of_table) is not null and coalesce(coalesce(k.listed_as, k.entity_type) = any (types), true);
  if tables is not null then
    execute format('lock table %s in %s mode', tables, mode);
  end if;
end
$$;

create or replace function sync.demand_types(types text[])
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  lists pg_catalog.text[] := array(select coalesce(k.listed_as, k.entity_type) from sync.tracked k order by k.listed_as, k.entity_type);
  others pg_catalog.text := (select string_agg(t.type, ', ') from unnest(types) as t (type) where t.type <> all (lists));
begin
  if others is not null then
    raise exception 'types: there are % here, and not %', array_to_string(lists, ', '), others
      using errcode = 'invalid_parameter_value';
  end if;
end
$$;
comment on function sync.demand_types(text[]) is 'Raises invalid_parameter_value where one of these lists is not there: before a stream of them opens.';

create or replace function sync.snapshot(space_id text, message_limit integer default 100, types text[] default null)
returns table (version bigint, cursor text, beings json, intentions json, entities json, last_message_id text, has_more boolean)
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '400ms'  -- below deadlock_timeout: a reader yields to a DBA, and asks again
set jit = off
as $$
begin
  perform sync._hold_off_truncate(types => types);
  perform sync.demand_types(types);
  return query
  with lists as materialized (
    select k.entity_type, k.listed_as, l.*
    from sync.tracked k
    cross join lateral sync._list(k.entity_type, snapshot.space_id,
      case when k.label_column is not null then coalesce(message_limit, 100) end) as l
    where coalesce(k.listed_as, k.entity_type) = any (types) or types is null
  )
  select split_part(here.cursor, '.', 2)::bigint, here.cursor,
    (select l.list from lists l where l.listed_as = 'beings'), i.list,
    (select ('{' || string_agg(to_json(l.entity_type) || ':' || l.list, ',' order by l.entity_type) || '}')::pg_catalog.json
     from lists l where l.listed_as is null),
    i.last_label, coalesce(i.has_more, false)
  from (select sync.current_cursor(snapshot.space_id) as cursor) as here
  left join lists i on i.listed_as = 'intentions'
  where here.cursor is not null;
end
$$;
comment on function sync.snapshot(text, integer, text[]) is
  'A space as it is: its beings, its newest messages (oldest first), what else is tracked, by type, and the cursor that they stand
at, all from one MVCC snapshot (P7): what is not recorded yet is there already, and comes once more. types: only these lists.
No row when there is no such space. Raises program_limit_exceeded where a list is too much.';

create or replace function sync.state(space_id text, message_limit integer, types text[] default null, is_event boolean default null)
returns table (cursor text, state text)
language sql
volatile
security definer
set search_path = ''
as $$
  select s.cursor, case when coalesce(is_event, types is null) then '{"type":"space-sync",' else '{' end
    || '"spaceId":' || to_json(state.space_id) || ',"version":' || s.version || ',"cursor":"' || s.cursor || '"'
    || ',"timestamp":"' || to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"'
    || coalesce(',"beings":' || s.beings, '') || coalesce(',"intentions":' || s.intentions, '')
    || coalesce(',"entities":' || s.entities, '')
    || case when coalesce(is_event, types is null) then ',"lastMessageId":' || coalesce(to_json(s.last_message_id)::pg_catalog.text, 'null') else '' end
    || ',"hasMore":' || s.has_more || '}'
  from sync.snapshot(state.space_id, message_limit, types) s
$$;
comment on function sync.state(text, integer, text[], boolean) is
  'sync.snapshot() as the one JSON text that is sent: a state, or a space-sync event. types: beings, intentions, and the names of
tracked tables; null: all. is_event: unless given, where types is null, as relays of before have it.';
