-- Chapter 2: the read path. What the relay calls, and what leaves the database.
--   being_json, intention_json   the only place that names the columns that leave (P9)
--   epoch, current_cursor        <epoch>.<version> names a state of a space, in this incarnation of the data
--   being, intention, beings     one entity by its ID, and a list: what the API answers with
--   messages, snapshot           a space as it is, from one MVCC snapshot (P7)
-- The functions return the JSON that is sent: the relay builds no row.

-- These two are the DBA's to replace, with "create or replace function": they are created only where they are
-- missing. After a change run sync.reset(), since it is no change of a row. They are called as the owner: pg_temp is
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
    $json$;
    comment on function sync.intention_json(public.intentions) is 'A message as clients see it. A column that is not named here never leaves (P9).';
  end if;
end
$$;


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


-- The two that follow are volatile: asked in the statement that writes a row, they see the row that it has written.

create or replace function sync.being(
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
  select sync.being_json(b), b.location_id
  into wire, space_id
  from public.beings b
  where b.id = being.id;
end
$$;
comment on function sync.being(text) is 'A being as clients see it, and the space that it is in; both null when there is none.';


create or replace function sync.intention(
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
  select sync.intention_json(i), i.location_id
  into wire, space_id
  from public.intentions i
  where i.id = intention.id;
end
$$;
comment on function sync.intention(text) is 'A message as clients see it, and the space that it is in; both null when there is none.';


create or replace function sync.beings(
  space_id text,
  being_limit integer default null
)
returns json
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(json_agg(sync.being_json(page.b) order by (page.b).created_at, (page.b).id collate "C"), '[]')
  from (
    select b
    from public.beings b
    where b.location_id = beings.space_id
    order by b.created_at, b.id collate "C"
    limit being_limit
  ) as page
$$;
comment on function sync.beings(text, integer) is 'The beings of a space, oldest first: all of them without a limit.';


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
set jit = off  -- as in sync.changes_since()
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
    coalesce(
      (select json_agg(sync.being_json(b) order by b.created_at, b.id collate "C")
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
