-- Chapter 3: what the relay reads.
--   epoch, current_cursor      <epoch>.<version> names a state of a space, in this incarnation of the data
--   beings, messages           a list of each
--   snapshot                   a space as it is, from one MVCC snapshot (P7)
-- Then what happened since (3_read_changes.sql). The functions return the JSON that is sent: the relay builds no row. It
-- holds each as one text, which may not have any length: what is more than sync._most_bytes() is cut where it is pages,
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

-- The version of a space: 0 while nothing was in it; null when there is no such space. It is there once a being of type
-- space has its ID, or anything was ever in it.
create or replace function sync._version(space_id text)
returns bigint
language sql
stable
security definer
set search_path = ''
set row_security = off
as $$
  select coalesce(
    (select s.version from sync.spaces s where s.space_id = _version.space_id and s.version > 0),
    (select 0 from public.beings b where b.id = _version.space_id and b.type = 'space'))
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

-- How much JSON leaves in one piece: 64 MiB. A single row may have four times that.
create or replace function sync._most_bytes()
returns integer
language sql
immutable
set search_path = ''
as 'select 67108864';

create or replace function sync.beings(space_id text, being_limit integer default null)
returns json
language plpgsql
stable
security definer
set search_path = ''
set row_security = off
as $$
declare
  wire pg_catalog.json;
begin
  select coalesce(json_agg(page.wire order by page.created_at, page.id collate "C"), '[]')
  into wire
  from (
    select sync.being_json(b.*) as wire, b.created_at, b.id
    from public.beings b
    where b.location_id = beings.space_id
    order by b.created_at, b.id collate "C"
    limit beings.being_limit
  ) as page;
  if pg_column_size(wire) > sync._most_bytes() then
    raise exception 'the list of beings cannot be sent: % bytes of JSON are too many; make it smaller, in SQL',
      pg_column_size(wire) using errcode = 'program_limit_exceeded';
  end if;
  return wire;
end
$$;
comment on function sync.beings(text, integer) is
  'The beings of a space, oldest first: all of them without a limit. Raises program_limit_exceeded where they are too much.';

create or replace function sync.messages(space_id text, message_limit integer, before text default null,
  out messages json, out last_message_id text, out has_more boolean)
language plpgsql
stable
security definer
set search_path = ''
set row_security = off
set enable_bitmapscan = off  -- a limit of an index's order: a bitmap would read all of it first
set jit = off  -- compiling would take longer than the query
as $$
<<asked>>
declare
  before_space_id pg_catalog.text;
  before_at timestamp with time zone := 'infinity';
  before_number bigint;
  message public.intentions;
  wire pg_catalog.json;
  wires pg_catalog.json[] := '{}';
  left_bytes integer := sync._most_bytes();
begin
  if before is not null then
    select i.location_id, i.created_at, substr(i.message_id, 5)::bigint
    into before_space_id, before_at, before_number
    from public.intentions i
    where i.message_id = messages.before;
    if before_space_id is distinct from messages.space_id then
      raise exception 'before: there is no message % in space %', before, messages.space_id
        using errcode = 'no_data_found';
    end if;
  end if;

  -- The index has the messages by created_at; those of one instant are sorted by their numbers here. Their JSON is
  -- made one by one, so that none is made that is not sent.
  has_more := false;
  for message in
    select i.*
    from public.intentions i
    where i.location_id = messages.space_id
      and i.created_at <= asked.before_at
      and (i.created_at < asked.before_at or substr(i.message_id, 5)::bigint < asked.before_number)
    order by i.created_at desc, substr(i.message_id, 5)::bigint desc
    limit messages.message_limit + 1
  loop
    last_message_id := coalesce(last_message_id, message.message_id);
    has_more := cardinality(wires) = message_limit;
    exit when has_more;
    wire := sync.intention_json(message);
    left_bytes := left_bytes - pg_column_size(wire);
    has_more := left_bytes < 0 and cardinality(wires) > 0;
    exit when has_more;
    wires := array_append(wires, wire);
  end loop;
  if pg_column_size(wires[1]) > 4::bigint * sync._most_bytes() then
    raise exception 'the message cannot be sent: % bytes of JSON are too many; make it smaller, in SQL',
      pg_column_size(wires[1]) using errcode = 'program_limit_exceeded';
  end if;
  select coalesce(json_agg(w.wire order by w.n desc), '[]') into messages.messages
  from unnest(wires) with ordinality as w (wire, n);
end
$$;
comment on function sync.messages(text, integer, text) is
  'A page of a space''s messages, oldest first: the newest message_limit of them, or of those before a message; fewer,
but one, where they would have more than 64 MiB of JSON. Raises no_data_found when there is no such message there.';

create or replace function sync.snapshot(space_id text, message_limit integer default 100)
returns table (version bigint, cursor text, beings json, intentions json, last_message_id text, has_more boolean)
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '400ms'  -- below deadlock_timeout: a reader yields to a DBA, and asks again
set jit = off
as $$
begin
  -- TRUNCATE is not MVCC-safe: a snapshot that was taken while waiting for its lock would show an empty table at
  -- the version before. Volatile, so that the query takes its snapshot after the lock.
  lock table public.beings, public.intentions in access share mode;
  return query
  select split_part(here.cursor, '.', 2)::bigint, here.cursor, sync.beings(snapshot.space_id),
    m.messages, m.last_message_id, m.has_more
  from (select sync.current_cursor(snapshot.space_id) as cursor) as here,
    sync.messages(snapshot.space_id, coalesce(message_limit, 100)) as m
  where here.cursor is not null;
end
$$;
comment on function sync.snapshot(text, integer) is
  'A space as it is: its beings, its newest messages (oldest first), and the cursor that they stand at, all from one MVCC
snapshot (P7): what is not recorded yet is there already, and comes once more. No row when there is no such space. Raises
program_limit_exceeded where the beings alone are too much.';

create or replace function sync.state(space_id text, message_limit integer, types text[] default null)
returns table (cursor text, state text)
language sql
volatile
security definer
set search_path = ''
as $$
  select s.cursor, case when types is null then '{"type":"space-sync",' else '{' end
    || '"spaceId":' || to_json(state.space_id) || ',"version":' || s.version || ',"cursor":"' || s.cursor || '"'
    || ',"timestamp":"' || to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"'
    || case when 'beings' <> all (types) then '' else ',"beings":' || s.beings end
    || case when 'intentions' <> all (types) then '' else ',"intentions":' || s.intentions end
    || case when types is null then ',"lastMessageId":' || coalesce(to_json(s.last_message_id)::pg_catalog.text, 'null') else '' end
    || ',"hasMore":' || (s.has_more and not coalesce('intentions' <> all (types), false)) || '}'
  from sync.snapshot(state.space_id, case when 'intentions' <> all (types) then 0 else message_limit end) s
$$;
comment on function sync.state(text, integer, text[]) is
  'sync.snapshot() as the one JSON text that is sent: as a space-sync event, or the state of these types (beings, intentions).';
