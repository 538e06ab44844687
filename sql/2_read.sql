-- Chapter 2: the read path. What the relay calls, and what leaves the database.
--   being_json, intention_json   the only place that names the columns that leave (P9)
--   epoch, current_cursor        <epoch>.<version> names a state of a space, in this incarnation of the data
--   being, intention, beings     one entity by its ID, and a list: what the API answers with
-- Then a space as it is (2_read_snapshot.sql), and what happened since (2_read_changes.sql).
-- The functions return the JSON that is sent: the relay builds no row. It holds each as one text, which may not have
-- any length: what is more than sync._most_bytes() is cut where it is pages, and else refused (program_limit_exceeded).

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
set row_security = off
as $$
  select sync.epoch() || '.' || coalesce(
    (select s.version from sync.spaces s where s.space_id = current_cursor.space_id),
    (select 0 from public.beings b where b.id = current_cursor.space_id and b.type = 'space')
  )
$$;
comment on function sync.current_cursor(text) is
  'The cursor of a space as it is now; null when there is no such space. A space is there once a being of type
space has its ID, or anything was ever in it.';


create or replace function sync._most_bytes()
returns integer
language sql
immutable
set search_path = ''
as 'select 67108864';
comment on function sync._most_bytes() is 'How much JSON leaves in one piece: 64 MiB. A single row may have four times that.';


create or replace function sync._refuse_size(
  what text,
  wire json
)
returns void
language plpgsql
immutable
set search_path = ''
as $$
begin
  raise exception '% cannot be sent: % bytes of JSON are too many; make it smaller, in SQL',
    what, pg_column_size(wire)
    using errcode = 'program_limit_exceeded';
end
$$;
comment on function sync._refuse_size(text, json) is 'Raises program_limit_exceeded.';


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
set row_security = off
as $$
begin
  select sync.being_json(b.*), b.location_id
  into wire, space_id
  from public.beings b
  where b.id = being.id;
  if pg_column_size(wire) > 4::bigint * sync._most_bytes() then
    perform sync._refuse_size('the being', wire);
  end if;
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
set row_security = off
as $$
begin
  select sync.intention_json(i.*), i.location_id
  into wire, space_id
  from public.intentions i
  where i.id = intention.id;
  if pg_column_size(wire) > 4::bigint * sync._most_bytes() then
    perform sync._refuse_size('the message', wire);
  end if;
end
$$;
comment on function sync.intention(text) is 'A message as clients see it, and the space that it is in; both null when there is none.';


create or replace function sync.beings(
  space_id text,
  being_limit integer default null
)
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
    perform sync._refuse_size('the list of beings', wire);
  end if;
  return wire;
end
$$;
comment on function sync.beings(text, integer) is
  'The beings of a space, oldest first: all of them without a limit. Raises program_limit_exceeded where they are too much.';
