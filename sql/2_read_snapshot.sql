-- Chapter 2, continued: a space as it is. messages is a page of its messages; snapshot is its beings, its newest page and
-- its cursor, from one MVCC snapshot (P7).

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
set row_security = off
set enable_bitmapscan = off  -- a limit of an index's order: a bitmap would read all of it first
set jit = off  -- as in sync.changes_since()
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
    perform sync._refuse_size('the message', wires[1]);
  end if;
  messages.messages := (
    select coalesce(json_agg(w.wire order by w.n desc), '[]')
    from unnest(wires) with ordinality as w (wire, n)
  );
end
$$;
comment on function sync.messages(text, integer, text) is
  'A page of a space''s messages, oldest first: the newest message_limit of them, or of those before a message; fewer,
but one, where they would have more than 64 MiB of JSON. Raises no_data_found when there is no such message in the
space.';


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
set lock_timeout = '400ms'  -- below deadlock_timeout: a reader yields to a DBA, and asks again
set jit = off  -- as in sync.changes_since()
as $$
begin
  -- TRUNCATE is not MVCC-safe: a snapshot that was taken while waiting for its lock would show an empty table at
  -- the version before. Volatile, so that the query takes its snapshot after the lock.
  lock table public.beings, public.intentions in access share mode;
  return query
  select
    split_part(here.cursor, '.', 2)::bigint,
    here.cursor,
    sync.beings(snapshot.space_id),
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
one MVCC snapshot (P7). No row when there is no such space. Raises program_limit_exceeded where the beings alone are
too much.';
