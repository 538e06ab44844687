-- Spacefeed's schema, for a database that has none of it yet.
begin;

-- Before anything is made: where Spacefeed cannot be, it says so, and what to run. This, the migrations and the chapters
-- are one transaction, so that of what is refused later nothing is left either.

do $$
declare
  is_there boolean := to_regclass('sync.migrations') is not null;
  gone pg_catalog.text;
begin
  if is_there then
    select bool_or(to_jsonb(m) ->> 'name' = '0001_spacefeed') into is_there from sync.migrations m;
    if not is_there or (select count(*) from pg_catalog.pg_attribute a
      where a.attrelid = to_regclass('sync.migrations') and a.attname in ('id', 'name', 'run_on')) < 3
    then
      raise exception 'sync.migrations is there already, and is not this Spacefeed''s'
        using errcode = 'duplicate_table', hint = 'Rename that schema, or take another database: Spacefeed needs '
          'schema sync for itself. If it is from before the first release, drop it and both tables.';
    end if;
  end if;
  if is_there is not true and getdatabaseencoding() = 'SQL_ASCII' then
    raise exception 'the database is SQL_ASCII: it takes bytes that are no text, and no reader could be sent them'
      using errcode = 'feature_not_supported',
        hint = 'Make one with "create database … template template0 encoding ''UTF8''", and migrate that.';
  end if;
  select string_agg(t.name, ' and ') || case count(*) when 1 then ' is' else ' are' end
  into gone
  from unnest(array['public.beings', 'public.intentions']) as t (name)
  where is_there and to_regclass(t.name) is null;
  if gone is not null then
    raise exception '% not there any more, while schema sync still is', gone
      using errcode = 'undefined_table', hint = 'Restore a backup. Or, to begin anew with nothing, run "create schema if '
        'not exists public; drop schema sync cascade; drop table if exists public.beings, public.intentions cascade", '
        'and migrate again.';
  end if;
end
$$;


-- Up Migration

-- The tables as they are. What is done with them is in the chapters beside this folder, to be read in their order:
-- entities, note, record, read, access, operate, triggers, rights. They are replayed after each migration.
-- Schema public holds the application's tables; schema sync holds what keeps them in step.

create schema if not exists sync;
comment on schema sync is 'Spacefeed: versions, changes and the functions that the relay calls.';

create table public.beings (
  id           text not null default gen_random_uuid()::text,
  name         text not null default '',
  type         text not null default 'guest',
  owner_id     text,
  location_id  text,
  metadata     jsonb not null default '{}',
  properties   jsonb not null default '{}',
  content      jsonb not null default '[]',
  created_at   timestamptz not null default clock_timestamp(),
  modified_at  timestamptz not null default clock_timestamp(),
  constraint beings_pkey primary key (id),
  constraint beings_id_valid check (length(id) between 1 and 255 and id !~ '[[:cntrl:]]'),
  constraint beings_type_valid check (type in ('guest', 'space', 'bot', 'document')),
  constraint beings_owner_id_valid check (length(owner_id) between 1 and 255 and owner_id !~ '[[:cntrl:]]'),
  constraint beings_location_id_valid check (length(location_id) between 1 and 255 and location_id !~ '[[:cntrl:]]'),
  constraint beings_created_at_finite check (created_at between '0001-01-01Z' and '9999-12-31Z'),
  constraint beings_modified_at_finite check (modified_at between '0001-01-01Z' and '9999-12-31Z')
);
create index beings_location_id_idx on public.beings (location_id);

comment on table public.beings is 'People, bots, documents and spaces. A being is in the space that location_id names.';
comment on column public.beings.owner_id is 'The being that owns this one. No foreign key: owners may come later or go.';
comment on column public.beings.location_id is 'The space that this being is in. No foreign key: a space may be created after what is in it.';

create table public.intentions (
  id           text not null default gen_random_uuid()::text,
  message_id   varchar(255) not null,
  name         text not null default '',
  type         text not null default 'utterance',
  state        text not null default 'complete',
  owner_id     text,
  location_id  text not null,
  content      jsonb not null default '[]',
  created_at   timestamptz not null default clock_timestamp(),
  modified_at  timestamptz not null default clock_timestamp(),
  constraint intentions_pkey primary key (id),
  constraint intentions_message_id_key unique (message_id),
  constraint intentions_message_id_valid check (message_id ~ '^msg_[0-9]{1,18}$'),
  constraint intentions_id_valid check (length(id) between 1 and 255 and id !~ '[[:cntrl:]]'),
  constraint intentions_type_valid check (type in ('utterance', 'error')),
  constraint intentions_state_valid check (state in ('draft', 'active', 'paused', 'complete', 'cancelled', 'failed')),
  constraint intentions_owner_id_valid check (length(owner_id) between 1 and 255 and owner_id !~ '[[:cntrl:]]'),
  constraint intentions_location_id_valid check (length(location_id) between 1 and 255 and location_id !~ '[[:cntrl:]]'),
  constraint intentions_content_is_array check (jsonb_typeof(content) = 'array'),
  constraint intentions_created_at_finite check (created_at between '0001-01-01Z' and '9999-12-31Z'),
  constraint intentions_modified_at_finite check (modified_at between '0001-01-01Z' and '9999-12-31Z')
);
create index intentions_location_id_created_at_idx on public.intentions (location_id, created_at);

comment on table public.intentions is 'Messages, also AI answers that grow while they are written (state active).';
comment on column public.intentions.message_id is 'msg_<n>, assigned by a trigger from one sequence and never changed. It names a message; it is not a cursor.';
comment on column public.intentions.owner_id is 'The being that says it; null when nobody does.';
comment on column public.intentions.created_at is 'The clock, not the start of the transaction: the messages of one transaction keep their order.';

create sequence sync.message_number;
comment on sequence sync.message_number is 'The n of msg_<n>. Rolled-back inserts leave holes in it.';

create table sync.spaces (
  space_id  text not null,
  version   bigint not null,
  floor     bigint not null default 0,
  xid       xid8 not null default '0',
  constraint spaces_pkey primary key (space_id)
) with (
  fillfactor = 50,  -- a hot row: its next version goes beside it
  autovacuum_vacuum_scale_factor = 0.01
);

comment on table sync.spaces is 'The clock of each space. Outlives the space itself, so that a version is never given out twice.';
comment on column sync.spaces.version is 'Each is one or more whole transactions that changed this space (P1). 0: not one yet.';
comment on column sync.spaces.xid is 'The transaction that raised the version last: it does so once.';
comment on column sync.spaces.floor is 'A cursor below it cannot be caught up by events: sync.changes no longer has its deletions.';

-- Without CHECKs: Postgres parses them anew for each statement. sync.verify() holds what they would.
create table sync.changes (
  space_id         text not null,
  entity_type      text not null,
  entity_id        text not null,
  version          bigint not null,
  created_version  bigint not null,
  message_id       text,
  deleted_at       timestamptz,
  -- The most telling column first: it decides nearly every comparison.
  constraint changes_pkey primary key (entity_id, entity_type, space_id)
) with (
  autovacuum_vacuum_scale_factor = 0.05  -- each update leaves an entry in the index of versions
);
create index changes_space_id_version_idx on sync.changes (space_id, version);
create index changes_deleted_at_idx on sync.changes (deleted_at) where deleted_at is not null;

comment on table sync.changes is 'The last change of each entity in each space: one row an entity, however often it changes. Catch-up reads it by version.';
comment on column sync.changes.created_version is 'The version at which the entity came into the space: above a cursor, the event is created, else updated.';
comment on column sync.changes.message_id is 'Of an intention: also a deletion names its message.';
comment on column sync.changes.deleted_at is 'When it was deleted or left the space: the row is a tombstone until sync.prune() drops it.';

create table sync.notes (
  xid          xid8 not null default pg_current_xact_id(),
  space_id     text not null,
  entity_type  text not null,
  entity_ids   text[] not null
) with (
  autovacuum_vacuum_scale_factor = 0,  -- a queue: as many dead rows as went through it
  autovacuum_vacuum_threshold = 10000,
  autovacuum_vacuum_insert_threshold = -1,
  autovacuum_vacuum_cost_delay = 0
);
create index notes_xid_idx on sync.notes (xid);

comment on table sync.notes is 'What transactions have touched and sync.record() has not filed yet: a note for each statement and space.';
comment on column sync.notes.entity_ids is 'Empty where TRUNCATE has emptied the table.';

-- Three numbers that commits read. Sequences, since these are no rows: a value counts at once, for old snapshots as
-- well, and the dead versions that a dump would keep alive do not pile up.

create sequence sync.listening_until minvalue 0 start 0;
create sequence sync.recording_until minvalue 0 start 0;
create sequence sync.recorded_below minvalue 0 start 0;
select setval('sync.listening_until', 0), setval('sync.recording_until', 0), setval('sync.recorded_below', 0);

comment on sequence sync.listening_until is 'Until when relays are taken to listen, in ms since 1970: before that, commits notify.';
comment on sequence sync.recording_until is 'Until when a relay is taken to record for everybody, in ms since 1970: before that, commits do neither (P12).';
comment on sequence sync.recorded_below is 'Every note of a transaction with a lower xid is recorded: where to look from.';

create table sync.instance (
  epoch  text not null default gen_random_uuid()::text,
  one    boolean not null default true,
  constraint instance_one_row primary key (one),
  constraint instance_one check (one)
);
insert into sync.instance default values;
comment on table sync.instance is 'One row. Its epoch is part of every cursor, by way of sync.epoch(); sync.reset() replaces it (P11).';

-- What node-pg-migrate would have noted: a later `spacefeed migrate up` starts from here.
create table sync.migrations (id serial primary key, name varchar(255) not null, run_on timestamp not null);
insert into sync.migrations (name, run_on) values ('0001_spacefeed', now());

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


-- Chapter 2: from a write to a version.
--   note     a statement leaves a note of the rows that it has touched, for each space that they are in or have left
--   record   notes that are committed become versions, many transactions at once: sync._file(), in one statement
-- Who records? While a relay is awake, that relay, in turns, for everybody: a commit leaves its notes and does no more
-- (P12). While all sleep, each commit its own spaces, by a deferred trigger. Nobody waits for anybody (P8): a space that
-- another one is recording is left to it, or to a relay, which is told.

create or replace function sync._note()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if tg_op in ('INSERT', 'DELETE') then
    insert into sync.notes (space_id, entity_type, entity_ids)
    select r.location_id, _note.tg_argv[0], array_agg(r.id)
    from touched_rows r
    where r.location_id is not null
    group by r.location_id;

  elsif tg_op = 'UPDATE' then
    -- The rows of which it has changed what leaves. Who moves, or gets another ID, is there once with each: where it was,
    -- and where it is.
    insert into sync.notes (space_id, entity_type, entity_ids)
    select c.location_id, _note.tg_argv[0], array_agg(c.id)
    from (
      select r.location_id, r.id
      from (
        select o.location_id, o.id, o.modified_at from old_rows o
        union all
        select n.location_id, n.id, n.modified_at from new_rows n
      ) as r
      where r.location_id is not null
      group by r.location_id, r.id
      having count(*) = 1 or min(r.modified_at) <> max(r.modified_at)
    ) as c
    group by c.location_id;

  elsif current_setting('transaction_isolation') not like 'read %' then
    raise exception 'TRUNCATE empties a table also of rows that a % transaction does not see',
      current_setting('transaction_isolation')
      using errcode = 'feature_not_supported', hint = 'Run it in a transaction that is read committed.';

  else
    -- No tombstones for what may be millions of rows: the floor of each space is raised, which sends its readers to the
    -- snapshot. What was deleted before keeps its tombstone. Notes of others are of rows that nobody has seen.
    with emptied as (
      delete from sync.changes c
      where c.entity_type = tg_argv[0] and c.deleted_at is null
      returning c.space_id
    )
    insert into sync.notes (space_id, entity_type, entity_ids)
    select e.space_id, tg_argv[0], '{}'::pg_catalog.text[]
    from emptied e
    union
    select n.space_id, tg_argv[0], '{}'
    from sync.notes n
    where n.entity_type = tg_argv[0] and n.xid <> pg_current_xact_id();
  end if;
  return null;
end
$$;


-- Chapter 2, continued: how notes become versions, and the commit, which sees to it that somebody does it.

-- Where to look for notes from: those of transactions before it are recorded. A number above our own xids came with the dump
-- of another server: it says nothing. Nor does it to an older snapshot, which still sees notes that were recorded since.
create or replace function sync._recorded_below()
returns xid8
language plpgsql
security definer
set search_path = ''
as $$
declare
  xid constant pg_catalog.xid8 := pg_sequence_last_value('sync.recorded_below')::pg_catalog.text::pg_catalog.xid8;
begin
  return case
    when xid <= pg_snapshot_xmax(pg_current_snapshot()) and current_setting('transaction_isolation') like 'read %' then xid
    else '0'
  end;
end
$$;

-- Files the notes of these spaces, of xids from one on and of some before it: looks up what the tables have, raises each
-- space by one version, and notifies "<version> <space_id>". That is one statement, with one snapshot: a transaction is in
-- it with all of its notes, or with none (P5). It locks those of the spaces that nobody else has, and waits for none.
-- Returns these, and how many notes it were. More tries to lock all of them are 10 ms apart.
create or replace function sync._file(space_ids text[], from_xid xid8, open_xids xid8[] default '{}', tries integer default 1,
  out locked text[], out filed bigint)
language plpgsql
security definer
set search_path = ''
set enable_seqscan = off  -- the plan may be of a time when the queue was empty
set lock_timeout = '100ms'  -- below deadlock_timeout: who has locked a table holds up nobody else
set plan_cache_mode = force_generic_plan  -- planning anew would take longer than the statement
set jit = off  -- as would compiling
as $$
declare
  is_heard constant boolean := pg_sequence_last_value('sync.listening_until') > extract(epoch from clock_timestamp()) * 1000;
begin
  loop
    locked := array(
      select s.space_id from sync.spaces s where s.space_id = any (space_ids) for no key update skip locked);
    exit when cardinality(locked) = cardinality(space_ids) or tries <= 0;
    -- An INSERT would wait for another one of the same space. So new spaces take one of a few locks first, or come later.
    insert into sync.spaces (space_id, version)
    select w.space_id, 0
    from unnest(space_ids) as w (space_id)
    where case when (select s.space_id from sync.spaces s where s.space_id = w.space_id) is null then
        pg_try_advisory_xact_lock(hashtext('sync.spaces'), hashtext(w.space_id) & 63)
      end
    on conflict do nothing;
    tries := tries - 1;
    if not found and tries > 0 then
      perform pg_sleep(0.01);
    end if;
  end loop;

  with note as (
    delete from sync.notes n
    where (n.xid >= from_xid or n.xid = any (open_xids)) and n.space_id = any (locked)
    returning n.xid::pg_catalog.text::bigint as xid, n.space_id, n.entity_type, n.entity_ids
  ), found as materialized (
    -- What came and went in one transaction was never there, and has no message_id here. In two, a reader may have it: it
    -- is deleted. Of a message that was never recorded nobody knows the message_id any more: no message has this one.
    select t.*, coalesce(
      t.is_there,
      (select coalesce(c.message_id, '')
       from sync.changes c
       where (c.entity_id, c.entity_type) = (t.entity_id, t.entity_type) and c.space_id || '' = t.space_id  -- by the primary key
         and (c.deleted_at is null or t.is_of_many)),
      case when t.is_of_many and t.entity_type = 'intention' then 'msg_0' when t.is_of_many or t.entity_id is null then '' end
    ) as message_id
    from (
      -- In the order of the keys: what comes one after the other is then on pages that are near one another.
      select n.space_id, n.entity_type, e.entity_id, e.is_there, min(n.xid) < max(n.xid) as is_of_many
      from note n
      left join unnest(n.entity_ids, sync._find(n.entity_type, n.space_id, n.entity_ids)) as e (entity_id, is_there) on true
      group by n.space_id, n.entity_type, e.entity_id, e.is_there
      order by e.entity_id collate "C", n.space_id
    ) as t
  ), raised as (
    update sync.spaces s
    -- Once a transaction (P1). A restored xid may be that of this one by chance: then the row itself is older.
    set version = s.version + (s.xid <> pg_current_xact_id() or age(s.xmin) > 0)::integer,
        floor = case when s.space_id <> all (array(select f.space_id from found f where f.entity_id is null)) then s.floor
          else s.version + (s.xid <> pg_current_xact_id() or age(s.xmin) > 0)::integer end,
        xid = pg_current_xact_id()
    where s.space_id = any (array(select f.space_id from found f where f.message_id is not null))
    returning s.space_id, s.version, case when is_heard then pg_notify('spacefeed', s.version || ' ' || s.space_id) end
  ), recorded as (
    insert into sync.changes as c (space_id, entity_type, entity_id, version, created_version, message_id, deleted_at)
    select f.space_id, f.entity_type, f.entity_id, r.version, r.version, nullif(f.message_id, ''),
      case when f.is_there is null then clock_timestamp() end
    from found f
    join raised r on r.space_id = f.space_id
    where f.message_id is not null and f.entity_id is not null
    on conflict on constraint changes_pkey do update
    set version = excluded.version,
        created_version = case when c.deleted_at is null then c.created_version else excluded.version end,
        message_id = excluded.message_id,
        deleted_at = excluded.deleted_at
  )
  select count(*) into filed from note;
end
$$;

-- At commit: records what the transaction has touched, or leaves it to a relay. One that sleeps is told of it.
create or replace function sync._commit()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  own pg_catalog.text[];
  is_all boolean;
  has_recorded constant boolean := current_setting('sync.recorded', true) = new.xid::pg_catalog.text;  -- at an earlier note
  -- A statement of many rows, or one after many: cmin counts the commands before. Its type has no operators, hence the cast.
  is_large constant boolean := cardinality(new.entity_ids) not between 1 and 1000
    or new.cmin::pg_catalog.text::bigint > 1000;
begin
  if not is_large
    and has_recorded is not true  -- the rest is in the same version
    and pg_sequence_last_value('sync.recording_until') > extract(epoch from clock_timestamp()) * 1000
  then
    return null;  -- a relay is awake
  end if;
  if has_recorded then
    if not exists (select from sync.notes n where n.ctid = new.ctid) then
      return null;  -- filed with an earlier note
    end if;
  end if;

  -- An older snapshot does not see what others have left, and a version that a reader has seen must outlive a crash
  -- (P11): those leave it to a relay.
  if current_setting('transaction_isolation') like 'read %' and current_setting('synchronous_commit') <> 'off' then
    begin
      own := array(select distinct n.space_id from sync.notes n where n.xid = pg_current_xact_id());
      is_all := cardinality((sync._file(own, sync._recorded_below(), '{}', case when is_large then 40 else 1 end)).locked)
        = cardinality(own);
      perform set_config('sync.recorded', new.xid::pg_catalog.text, true);
    exception when others then
      null;  -- no fault of the writer's: a relay tries again, and says what it is
    end;
  end if;
  if is_all is not true and pg_sequence_last_value('sync.listening_until') > extract(epoch from clock_timestamp()) * 1000 then
    perform pg_notify('spacefeed', 'record');
  end if;
  return null;
end
$$;


-- Chapter 2, continued: what the relays call to record. All listen; one of them is the recorder, for as long as its
-- session has the lock, and records for everybody while it is awake (src/server/postgres/recording.ts).

create or replace function sync.record(seen pg_snapshot default null, apart text[] default '{}', max_notes integer default 2000,
  out now_seen pg_snapshot, out filed bigint, out is_more boolean, out left_behind text[], out failed text[], out reason text)
language plpgsql
security definer
set search_path = ''
set enable_seqscan = off  -- as in sync._file()
set jit = off
as $$
declare
  here constant pg_catalog.pg_snapshot := pg_current_snapshot();
  below constant pg_catalog.xid8 := sync._recorded_below();
  done pg_catalog.xid8 := pg_snapshot_xmin(here);
  from_xid pg_catalog.xid8 := '0';
  open_xids pg_catalog.xid8[] := '{}';
  wanted pg_catalog.text[];
  taken pg_catalog.text[] := '{}';
  one pg_catalog.text;
begin
  -- Xids that are still to come are another server's: then all notes are looked at.
  if pg_snapshot_xmax(seen) <= pg_snapshot_xmax(here) then
    done := pg_snapshot_xmin(seen);
    from_xid := pg_snapshot_xmax(seen);
    open_xids := array(select pg_snapshot_xip(seen));
  end if;
  select coalesce(array_agg(distinct n.space_id), '{}'), count(*) = max_notes
  into wanted, is_more
  from (
    select n.space_id
    from sync.notes n
    where (n.xid >= from_xid or n.xid = any (open_xids)) and n.space_id <> all (apart)
    limit max_notes
  ) as n;
  now_seen := case when is_more then seen else here end;
  filed := 0;
  failed := '{}';
  -- Nobody rolls a sequence back, and all see it at once: so it is raised to what an earlier transaction has recorded.
  if (wanted <> '{}' or done::pg_catalog.text::bigint > below::pg_catalog.text::bigint + 1000)
    and done > below
    and current_setting('transaction_isolation') like 'read %'
    and not exists (select from sync.notes n where n.xid >= below and n.xid < done)
  then
    perform setval('sync.recorded_below', done::pg_catalog.text::bigint);
  end if;
  if wanted <> '{}' then
    if current_setting('synchronous_commit') = 'off' then
      perform set_config('synchronous_commit', 'local', true);
    end if;
    begin
      select f.locked, f.filed into taken, filed from sync._file(wanted, from_xid, open_xids) as f;
    exception when others then
      foreach one in array wanted loop
        begin
          select taken || f.locked, record.filed + f.filed into taken, filed
          from sync._file(array[one], from_xid, open_xids) as f;
        exception when others then
          failed := failed || one;
          reason := sqlstate || ': ' || sqlerrm;
        end;
      end loop;
    end;
  end if;
  left_behind := array(select unnest(wanted) except select unnest(taken) except select unnest(failed));
end
$$;
comment on function sync.record(pg_snapshot, text[], integer) is
  'Turns committed notes into versions: those that the snapshot seen does not show, or all. Not of the spaces apart;
left_behind are those that another one is recording, failed those of which it did not work, for a reason.';

create or replace function sync.reach(space_ids text[])
returns table (space_id text, version bigint, is_pending boolean)
language plpgsql
security definer
set search_path = ''
set enable_seqscan = off  -- as in sync._file()
set jit = off
as $$
declare
  from_xid constant pg_catalog.xid8 := sync._recorded_below();
  pending constant pg_catalog.text[] := array(
    select distinct n.space_id from sync.notes n where n.xid >= from_xid and n.space_id = any (space_ids));
begin
  if pending <> '{}' then
    begin
      perform sync._file(pending, from_xid);
    exception when others then
      null;  -- still pending; the relay that records says what it is
    end;
  end if;
  return query
  select w.space_id, (select s.version from sync.spaces s where s.space_id = w.space_id),
    exists (select from sync.notes n where n.xid >= from_xid and n.space_id = w.space_id)
  from unnest(space_ids) as w (space_id);
end
$$;
comment on function sync.reach(text[]) is
  'Records these spaces, and says at which versions they are then; is_pending where another one was recording them.';

create or replace function sync.relay_seen(records boolean default null, out was_heard boolean)
language plpgsql
security definer
set search_path = ''
as $$
declare
  now_ms constant bigint := extract(epoch from clock_timestamp()) * 1000;
begin
  -- Half of the minute leaves time for a sign of life that is long on its way.
  was_heard := pg_sequence_last_value('sync.listening_until') > now_ms + 30000;
  perform setval('sync.listening_until', now_ms + 60000);
  if records is not null then
    perform setval('sync.recording_until', case when records then now_ms + 2000 else 0 end);
  end if;
end
$$;
comment on function sync.relay_seen(boolean) is
  'A relay''s sign of life: for a minute, commits notify. records: whether it records for everybody, for 2 s, or no longer;
null leaves it as it is. Says whether commits have been notifying until now.';

create or replace function sync.lead(wanted boolean)
returns boolean
language plpgsql
security definer
set search_path = ''
as $$
declare
  leads boolean;
begin
  perform pg_advisory_unlock_all();  -- a session may take the lock twice, and would have to free it twice
  leads := wanted and pg_try_advisory_lock(hashtext('sync.record'), 0);
  -- Of a session that is silent, since its relay hangs or its line is half-open, the server frees the lock.
  perform set_config('idle_session_timeout', case when leads then '3s' else '0' end, false);
  return leads;
end
$$;
comment on function sync.lead(boolean) is 'Makes this session the recorder, if no other one is, or ends that.';


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


-- Chapter 4: access. Who may do what is decided here, in SQL, and nowhere else.
-- sync.authorize() is the DBA's: replace it with "create or replace function", with the same signature. It is
-- created only where it is missing, so that a migration never replaces yours. The one that comes with
-- Spacefeed allows everything to everybody. It is called as the owner: its search_path names pg_temp last, as in
-- chapter 1. Then who asks it, and the role of relays: what that may do is listed in 7_rights.sql.

do $$
begin
  if to_regprocedure('sync.authorize(jsonb, text, text, jsonb)') is null then
    create function sync.authorize(claims jsonb, action text, space_id text, entity jsonb)
    returns boolean
    language sql
    stable
    set search_path = pg_catalog, pg_temp
    as 'select true';
    comment on function sync.authorize(jsonb, text, text, jsonb) is
      'May whoever has these claims (null: nobody in particular) do this in this space? action: read, create,
update or delete; entity: the being or message as it would be stored, null for read. The claims are those of the
token, and "being": the ID of the being that it stands for. It sees the tables as they were before the write.';
  end if;
end
$$;

-- These three return, or raise what is for the caller. A refusal does not name the space of an entity: they may not know it.
-- Its state is our own, so that it is told from whatever error the policy has, of which the text is not for them either.

create or replace function sync._demand(claims jsonb, action text, space_id text, entity jsonb)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  if sync.authorize(claims, action, space_id, entity) is not true then
    raise exception 'not allowed: %', action using errcode = 'SF403';
  end if;
  return true;
end
$$;

-- Nobody with claims gives a row to somebody else: of what they create the owner is their being, else it stays.
create or replace function sync._demand_owner(claims jsonb, owner_id text, wanted text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  if claims is not null and wanted is distinct from owner_id then
    raise exception 'not allowed: ownerId is %, and no request may make it %',
      coalesce(owner_id, 'null'), coalesce(wanted, 'null') using errcode = 'SF403';
  end if;
  return true;
end
$$;

create or replace function sync._demand_space(space_id text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  if space_id is not null and sync._version(space_id) is null then
    raise exception '%', space_id using errcode = 'SF404';
  end if;
  return true;
end
$$;

create or replace function sync.open(claims jsonb[], space_ids text[], sinces text[])
returns table (cursor text, since bigint, refusal text, reason text, is_of_policy boolean)
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  for n in 1 .. cardinality(space_ids) loop
    select true, null, null, null, null into is_of_policy, cursor, since, refusal, reason;
    begin
      is_of_policy := not sync._demand(claims[n], 'read', space_ids[n], null);
      cursor := sync.current_cursor(space_ids[n]);
      since := sync.resolve_cursor(space_ids[n], sinces[n]);
    exception when others then
      refusal := sqlstate;  -- one newcomer's fault is not the others'
      reason := sqlerrm;
    end;
    return next;
  end loop;
end
$$;
comment on function sync.open(jsonb[], text[], text[]) is
  'Lets many newcomers in at once, a row each, in their order: the cursor of the space (null: there is none), and
the version that since stands for (null: only a snapshot will do). Or else the SQLSTATE of the refusal, its reason, and whether
sync.authorize() has raised it.';

-- A role is the cluster's, and another database may have made it. Grant it to the login of each relay.
do $$
begin
  if not exists (select from pg_catalog.pg_roles r where r.rolname = 'spacefeed_relay') then
    create role spacefeed_relay nologin;
  end if;
exception
  when duplicate_object or unique_violation then
    null;  -- made at this moment, by the migration of another database
  when insufficient_privilege then
    raise notice 'not made, since % may not: the role for relays with no more rights than they need', current_user
      using hint = 'Have it made with "create role spacefeed_relay nologin", and migrate again.';
end
$$;


-- Chapter 4, continued: what the API reads and writes, in one call each. Both ask sync.authorize(), as sync.open() does.

create or replace function sync._demand_row(data json, type text, id text, in_space text, space_id text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  if data is null or in_space is distinct from coalesce(space_id, in_space) then
    raise exception 'there is no % %', (select e.noun from sync._entities() e where e.entity_type = type),
      id || coalesce(' in space ' || space_id, '') using errcode = 'no_data_found';
  end if;
  return true;
end
$$;

create or replace function sync.read(claims jsonb, type text, id text, space_id text, max_rows integer default null,
  before text default null, out data json, out version bigint, out has_more boolean)
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  in_space pg_catalog.text := space_id;
begin
  if id is not null then
    select w.wire, w.space_id into data, in_space from sync._wire(type, id) w;
    perform sync._demand_row(data, type, id, in_space, space_id);
  else
    perform sync._demand_space(space_id);
  end if;
  perform sync._demand(claims, 'read', in_space, null);
  if id is null and type = 'being' then
    data := sync.beings(space_id, max_rows);
  elsif id is null then
    select m.messages, m.has_more into data, has_more from sync.messages(space_id, max_rows, before) m;
  end if;
  version := sync._version(in_space);
end
$$;
comment on function sync.read(jsonb, text, text, text, integer, text) is
  'A being or an intention, by its ID, or those of a space: of messages the newest max_rows, or of those before a
message. And the version of the space. Raises no_data_found where there is none, SF404 where there is no such space, and
SF403 where sync.authorize() does not say true.';

-- The columns that the fields of a request name, and the terms for their values: the request is $1. JSON is taken as it
-- is, digit for digit. Null where a field may not be written.
create or replace function sync._columns(entity_type text, fields jsonb, out names text, out terms text)
language sql
stable
set search_path = ''
as $$
  select string_agg(quote_ident(a.attname), ', '), string_agg(case a.atttypid
      when 'pg_catalog.jsonb'::pg_catalog.regtype then format('$1 -> %L', f.name)
      else format('($1 ->> %L)::%s.%I', f.name, t.typnamespace::pg_catalog.regnamespace, t.typname)
    end, ', ')
  from sync._entities() e
  cross join jsonb_object_keys(fields) as f (name)
  join pg_catalog.pg_attribute a on a.attrelid = e.of_table::pg_catalog.regclass
    and a.attname = lower(regexp_replace(f.name, '([A-Z])', '_\1', 'g') collate "C")
  join pg_catalog.pg_type t on t.oid = a.atttypid
  where e.entity_type = _columns.entity_type and f.name = any (e.writable)
  having count(*) = (select count(*) from jsonb_object_keys(fields))
$$;

create or replace function sync.write(claims jsonb, action text, type text, id text, space_id text, fields jsonb,
  full_spaces text[] default '{}', out data json, out in_space text, out version bigint)
language plpgsql
volatile
security definer
set search_path = ''
as $$
<<here>>
declare
  of_table pg_catalog.text;
  noun pg_catalog.text;
  names pg_catalog.text;
  terms pg_catalog.text;
  is_same boolean;
  full_space pg_catalog.text;
begin
  select e.of_table, e.noun into here.of_table, here.noun from sync._entities() e where e.entity_type = type;
  if of_table is null or action is null or action not in ('create', 'update', 'delete') then
    raise exception 'there is no % of %', action, type using errcode = 'invalid_parameter_value';
  end if;
  if action = 'create' then
    fields := case when claims is null then '{}' else jsonb_build_object('ownerId', claims -> 'being') end
      || fields || jsonb_build_object('id', id);
    if fields ->> 'type' = 'space' and fields ->> 'locationId' is null then
      fields := fields - 'locationId';  -- the trigger puts it into itself
    end if;
  end if;
  if action <> 'create' or fields ->> 'type' is distinct from 'space' or fields ->> 'locationId' <> id then
    perform sync._demand_space(fields ->> 'locationId');
  end if;
  select c.names, c.terms into here.names, here.terms from sync._columns(type, fields) c;
  if names is null and action <> 'delete' or action = 'update' and fields ? 'id' then
    raise exception 'there is no field to write, or one that may not be written: %', fields
      using errcode = 'invalid_parameter_value';
  end if;

  -- The policy is asked by the statement that writes: it sees the tables as they were before. In it %1$s is the table,
  -- %2$s the row as clients see it, %3$s the columns, %4$s their terms; $1 the fields, $2 the claims, $3 the ID, $4 the space.
  execute format(case action
    when 'create' then $create$
      insert into %1$s as e (%3$s)
      select %4$s
      on conflict (id) do nothing
      returning %2$s, e.location_id,
        sync._demand($2, 'create', e.location_id, (%2$s)::pg_catalog.jsonb),
        sync._demand_owner($2, $2 ->> 'being', e.owner_id)
    $create$
    when 'update' then $update$
      update %1$s as e
      set (%3$s) = row(%4$s)
      where e.id = $3 and e.location_id is not distinct from coalesce($4, e.location_id)
        and sync._demand($2, 'update', e.location_id, (%2$s)::pg_catalog.jsonb)
        and sync._demand_owner($2, e.owner_id, case when $1 ? 'ownerId' then $1 ->> 'ownerId' else e.owner_id end)
      returning %2$s, e.location_id, sync._demand($2, 'update', e.location_id, (%2$s)::pg_catalog.jsonb)
    $update$
    when 'delete' then $delete$
      with going as materialized (
        select e.id, e.location_id, %2$s as wire
        from %1$s as e
        where e.id = $3 and e.location_id is not distinct from coalesce($4, e.location_id)
          and sync._demand($2, 'delete', e.location_id, (%2$s)::pg_catalog.jsonb)
        for update
      )
      delete from %1$s as e using going as g where e.id = g.id
      returning g.wire, g.location_id
    $delete$
  end, of_table, format('sync.%I(e.*)', type || '_json'), names, terms)
  into data, in_space
  using fields, claims, id, space_id;

  if data is null then
    select w.wire, w.space_id into data, in_space from sync._wire(type, id) w;
    if data is not null then
      perform sync._demand(claims, action, in_space, data::pg_catalog.jsonb);
    end if;
    if action <> 'create' then
      perform sync._demand_row(data, type, id, in_space, space_id);
      raise exception 'the database has the % %, but did not % it: a trigger on % dropped the %',
        noun, id, action, of_table, action;
    elsif data is null then
      raise exception 'the database took the %, but stored nothing: a trigger on % dropped it', noun, of_table;
    end if;
    -- A safe retry, if it says the same.
    perform sync._demand_owner(claims, claims ->> 'being', fields ->> 'ownerId');
    execute format('select row(%s) is not distinct from row(%s) from %s as e where e.id = $2', names, terms, of_table)
    into is_same
    using fields, id;
    if is_same is not true then
      raise exception 'there is another % with the ID %: take a new ID, or update that one', noun, id;
    end if;
  end if;

  select n.space_id into full_space
  from sync.notes n
  where n.xid = pg_current_xact_id_if_assigned() and n.entity_type = type and n.space_id = any (full_spaces);
  if found then
    raise exception '%', full_space using errcode = 'SF429';
  end if;
  set constraints sync.spacefeed_commit immediate;  -- so that the version is known, where nobody else records
  version := (
    select s.version
    from sync.spaces s
    where s.space_id = in_space and s.xid = pg_current_xact_id_if_assigned() and age(s.xmin) = 0);  -- as in sync._file()
end
$$;
comment on function sync.write(jsonb, text, text, text, text, jsonb, text[]) is
  'Creates, updates or deletes a being or an intention, in that space if one is given: the row as clients see it, where it
is, and at which version, if that is known now (else sync.reach() tells it). fields: what to write, by the names of the
wire; the owner of what somebody with claims creates is their being. A create with an ID that is taken is a safe retry.
Raises SF403 where sync.authorize() does not say true, SF429 for one of full_spaces, SF404 where there is no such space,
no_data_found where there is no such row, and raise_exception (P0001) where it conflicts with what is there.';


-- Chapter 5: operation. What a DBA runs by hand or from cron.
--   status   one row for a first look          verify   proves that sync.changes and the tables agree
--   prune    drops old tombstones              reset    a new epoch: after a restore that left no trace, or
--                                                       after writes with the triggers switched off
-- Then the watch on the NOTIFY queue.

-- Created only where it is missing: replacing it would wait for whoever is reading it.
do $$
begin
  if to_regclass('sync.status') is null then
    create view sync.status as
    select
      sync.epoch() as epoch,
      (select count(*) from sync.spaces s where s.version > 0) as spaces,
      (select coalesce(sum(s.version), 0) from sync.spaces s) as versions,
      (select greatest(c.reltuples, 0)::bigint from pg_catalog.pg_class c where c.oid = 'sync.changes'::regclass) as changes,
      (select greatest(c.reltuples, 0)::bigint
       from pg_catalog.pg_class c where c.oid = 'sync.changes_deleted_at_idx'::regclass) as tombstones,
      (select count(*) from pg_catalog.pg_stat_activity a
       where a.datname = current_database() and a.application_name = 'spacefeed listener') as relays,
      (select l.pid
       from pg_catalog.pg_locks l
       join pg_catalog.pg_database d on d.oid = l.database and d.datname = current_database()
       where l.locktype = 'advisory' and l.classid = hashtext('sync.record')::bigint::bit(32)::bigint::oid and l.objsubid = 2
         and l.granted
       limit 1) as recorder,
      coalesce(to_timestamp((select q.last_value from sync.recording_until q) / 1000.0) > clock_timestamp(), false) as awake,
      (select clock_timestamp() - min(a.xact_start) from pg_catalog.pg_stat_activity a
       where a.datname = current_database() and a.backend_xid is not null) as oldest_write,
      pg_notification_queue_usage() as notify_queue_usage,
      (select count(*) from sync.notes) as notes,
      array(select distinct n.space_id from sync.notes n limit 10) as waiting;
    comment on view sync.status is
      'One row: spaces and the versions given out; changes and tombstones as of the last vacuum; relays that listen, the
pid of the one that records, and whether it is awake; the age of the oldest open write; how full the NOTIFY queue of the
cluster is (0 to 1; writers fail at 1); the notes that wait to be recorded, and some of their spaces.';
  end if;
end
$$;

create or replace function sync.verify(only_space_id text default null)
returns table (space_id text, entity_type text, entity_id text, fault text)
language sql
stable
security definer
set search_path = ''
set row_security = off
as $$
  with compared as (
    select k.*, case
        when c.version is null then 'is in the table, but not recorded'
        when a.is_there is null and c.deleted_at is null then 'is recorded, but not in the table'
        when a.is_there and c.deleted_at is not null then 'is in the table, but recorded as deleted'
        when c.deleted_at is null and a.message_id is distinct from c.message_id then 'is recorded with another message_id'
        when s.version is null then 'is recorded in a space without a version'
        when c.version > s.version then 'is recorded above the version of its space'
        when c.created_version not between 1 and c.version then 'is recorded as created after its last change'
        when k.entity_type not in ('being', 'intention') then 'is recorded as neither a being nor an intention'
        when (c.message_id is not null) <> (k.entity_type = 'intention') then 'is recorded with the message_id of another kind'
        when substr(a.message_id, 5)::bigint >= (select q.last_value + q.is_called::integer from sync.message_number q)
          then 'has a message_id that the sequence will give out again'
      end as fault
    from sync._all(verify.only_space_id) a
    full join sync.changes c using (space_id, entity_type, entity_id) as k
    left join sync.spaces s on s.space_id = k.space_id
    where not exists (  -- a note of it waits
      select
      from sync.notes n
      where (n.space_id, n.entity_type) = (k.space_id, k.entity_type) and (k.entity_id = any (n.entity_ids) or n.entity_ids = '{}')
    )
    union all
    select s.space_id, 'space', s.space_id, case
        when s.floor not between 0 and s.version then 'has a floor that is not between 0 and its version'
        when s.version > s.floor
          and not exists (select from sync.changes c where (c.space_id, c.version) = (s.space_id, s.version))
          then 'has a version with no change in it'
      end
    from sync.spaces s
  )
  select v.*
  from compared v
  where v.fault is not null and v.space_id = coalesce(verify.only_space_id, v.space_id)
  order by v.space_id, v.entity_type, v.entity_id
$$;
comment on function sync.verify(text) is 'No rows when sync.changes and the tables agree, in one space or in all. What waits
to be recorded is left out. Reads both tables whole.';

create or replace function sync.prune(keep interval, max_rows integer default 10000)
returns bigint
language plpgsql
security definer
set search_path = ''
as $$
declare
  pruned bigint;
begin
  if keep < '0'::interval or max_rows < 1 then
    raise exception 'prune: keep must not be negative, and max_rows at least 1' using errcode = 'invalid_parameter_value';
  end if;

  -- Spaces first, in sorted order: two of these do not deadlock. A commit does not wait for them (P8).
  with old as materialized (
    select c.space_id, c.entity_type, c.entity_id
    from sync.changes c
    where c.deleted_at <= clock_timestamp() - keep
    order by c.deleted_at
    limit max_rows
  ), locked as materialized (
    select s.space_id
    from sync.spaces s
    where s.space_id in (select o.space_id from old o)
    order by s.space_id collate "C"
    for no key update
  ), gone as (
    -- deleted_at once more: a tombstone may have come to life while its space was waited for.
    delete from sync.changes c
    using old o, locked l
    where l.space_id = o.space_id
      and (c.space_id, c.entity_type, c.entity_id) = (o.space_id, o.entity_type, o.entity_id)
      and c.deleted_at <= clock_timestamp() - keep
    returning c.space_id, c.version
  ), raised as (
    update sync.spaces s
    set floor = greatest(s.floor, g.version)
    from (select gone.space_id, max(gone.version) as version from gone group by gone.space_id) as g
    where s.space_id = g.space_id
  )
  select count(*) into pruned from gone;
  return pruned;
end
$$;
comment on function sync.prune(interval, integer) is
  'Drops tombstones older than keep, at most max_rows of them, and returns how many: call it until 0, from cron.
Who was away for longer gets a snapshot. Holds the spaces concerned until its transaction ends.';

create or replace function sync.reset()
returns text
language plpgsql
security definer
set search_path = ''
set row_security = off
as $$
begin
  if current_setting('transaction_isolation') not like 'read %' then
    raise exception 'reset: a % transaction does not see all rows', current_setting('transaction_isolation')
      using errcode = 'feature_not_supported', hint = 'Run it in a transaction that is read committed.';
  end if;
  lock table public.beings, public.intentions, sync.spaces, sync.notes in share row exclusive mode;
  update sync.instance set epoch = gen_random_uuid()::pg_catalog.text;

  -- Rows may have come with their names. Never back: a number that was given out names a message that was sent.
  perform setval('sync.message_number', named.highest)
  from (select max(substr(i.message_id, 5)::bigint) as highest from public.intentions i) as named
  where named.highest >= (select q.last_value + q.is_called::integer from sync.message_number q);

  delete from sync.changes;
  delete from sync.notes;
  insert into sync.spaces (space_id, version)
  select distinct a.space_id, 0 from sync._all(null) a
  on conflict do nothing;
  update sync.spaces set version = version + 1, floor = version + 1, xid = pg_current_xact_id();
  insert into sync.changes (space_id, entity_type, entity_id, version, created_version, message_id)
  select a.space_id, a.entity_type, a.entity_id, s.version, s.version, a.message_id
  from sync._all(null) a
  join sync.spaces s using (space_id);

  perform pg_notify('spacefeed', s.version || ' ' || s.space_id) from sync.spaces s;
  return sync.epoch();
end
$$;
comment on function sync.reset() is
  'A new epoch, and sync.changes rebuilt from the tables: every client takes a snapshot (P11), and message_id goes on
after the highest that there is. For a copy of the data files that was started as it was, and for writes with the
triggers switched off. Locks both tables.';

create or replace function sync.notify_queue(out usage double precision, out holders json)
language sql
volatile
security definer
set search_path = ''
as $$
  -- Nothing tells which other session listens: so whoever has been in a transaction for long.
  select pg_notification_queue_usage(), coalesce(json_agg(oldest), '[]')
  from (
    select a.pid, a.datname as database, a.usename as "user", a.application_name as application, a.xact_start as since
    from pg_catalog.pg_stat_activity a
    where a.backend_type = 'client backend' and a.xact_start is not null and a.pid <> pg_backend_pid()
    order by a.xact_start
    limit 3
  ) as oldest
$$;
comment on function sync.notify_queue() is
  'How full the NOTIFY queue of the cluster is (0 to 1; writers fail at 1), and the three sessions with the oldest
transactions, of which a listening one keeps it from being emptied. Those of other roles are among them only where
the owner of this function has pg_read_all_stats.';


-- Chapter 5, continued: the quiet troubles. What makes changes unseen or writes fail without a word in any log that a
-- relay has. It asks at its start and for /readyz; a DBA may, too. The catalogs tell all of them but one.

create or replace function sync.warnings()
returns table (code text, message text, remedy text)
language plpgsql
stable
security definer
set search_path = ''
set lock_timeout = '400ms'  -- as in sync.snapshot()
as $$
begin
  return query
  with ours as (
    select e.*, to_regclass(e.of_table) as oid from sync._entities() e
  ), there as (
    select w.name, w.of_table, to_regclass(w.of_table) as oid, t.tgenabled as enabled  -- null: it is not
    from sync._triggers() w
    left join pg_catalog.pg_trigger t on t.tgname = w.name and t.tgrelid = to_regclass(w.of_table)
  ), setting as (
    select c.line, r.rolname as of_role, case
        when d.setrole = 0 then format('alter database %I', current_database())
        when d.setdatabase = 0 then format('alter role %I', r.rolname)
        else format('alter role %I in database %I', r.rolname, current_database())
      end as alter_line
    from pg_catalog.pg_db_role_setting d
    left join pg_catalog.pg_roles r on r.oid = d.setrole
    cross join unnest(d.setconfig) as c (line)
    where d.setdatabase in (0, (select b.oid from pg_catalog.pg_database b where b.datname = current_database()))
      and (d.setrole = 0 or r.oid is not null)
  )
  select 'standby', 'the database is a standby: nothing can be written',
    'select pg_promote();  -- or let DATABASE_URL name the primary'
  where pg_is_in_recovery()
  union all
  select 'read_only', 'default_transaction_read_only is on: nothing can be written', coalesce(
    string_agg(s.alter_line || ' reset default_transaction_read_only;', ' '),
    'alter system reset default_transaction_read_only; select pg_reload_conf();')
  from setting s
  where s.line ~* '^default_transaction_read_only=(on|true|yes|1)$' and coalesce(s.of_role, session_user) = session_user
  having count(*) > 0 or current_setting('default_transaction_read_only')::boolean
  union all
  select 'encoding', 'the database is SQL_ASCII: a row with bytes that are no UTF-8 cannot be sent, and its readers get errors',
    format('create database %I_utf8 template template0 encoding ''UTF8'';  -- and load a dump of this one into it',
      current_database())
  where getdatabaseencoding() = 'SQL_ASCII'

  -- The tables.
  union all
  select 'table_missing', o.of_table || ' is not there: no message can be written or read',
    'drop schema sync cascade;  -- and then: spacefeed migrate up'
  from ours o
  where o.oid is null
  union all
  select 'trigger_missing', format('%s lacks %s: what is written there is not seen%s', w.of_table,
      string_agg(w.name, ', ' order by w.name), (
        select format(' (%s has them)', string_agg(distinct t.tgrelid::pg_catalog.regclass::pg_catalog.text, ', '))
        from pg_catalog.pg_trigger t
        join pg_catalog.pg_proc p on p.oid = t.tgfoid and p.pronamespace = 'sync'::pg_catalog.regnamespace
        where t.tgname = min(w.name) and not exists (select from ours o where o.oid = t.tgrelid)
        having count(*) > 0)),
    'spacefeed migrate up  -- and then, for what was written meanwhile: select sync.reset();'
  from there w
  where w.oid is not null and w.enabled is null
  group by w.of_table
  union all
  select 'wire_function', format('%s is of a table that is not ours any more: what was replaced in it holds no longer', f.called),
    format('drop function %s;  -- after replacing that of %s in the same way', f.called, f.of_table)
  from (
    select p.oid::pg_catalog.regprocedure as called, o.of_table
    from ours o
    join pg_catalog.pg_proc p on p.proname = o.entity_type || '_json' and p.pronamespace = 'sync'::pg_catalog.regnamespace
    join pg_catalog.pg_type t on t.oid = p.proargtypes[0] and t.typrelid <> o.oid
  ) as f
  union all
  select case w.enabled when 'D' then 'trigger_disabled' else 'trigger_replica' end,
    format('%s of %s %s: what is written there is not seen', string_agg(w.name, ', ' order by w.name), w.of_table,
      case w.enabled when 'D' then 'are disabled' else 'fire for replicated rows only' end),
    string_agg(format('alter table %s enable trigger %I;', w.of_table, w.name), ' ' order by w.name)
      || '  -- and then, for what was written meanwhile: select sync.reset();'
  from there w
  where w.enabled in ('D', 'R')
  group by w.of_table, w.enabled
  union all
  select 'replica_role',
    'session_replication_role is replica' || coalesce(' for ' || s.of_role, '') || ': what is written so is not seen',
    s.alter_line || ' reset session_replication_role;  -- and then: select sync.reset();'
  from setting s
  where s.line ~* '^session_replication_role=replica$' and exists (select from there w where w.enabled <> 'A')
  union all
  select 'subscription', format('subscription %s brings rows of %s: what it applies is not seen', s.subname,
      string_agg(o.of_table, ' and ')),
    'select sync.reset();  -- once more after what is applied later; or let relays use the database that it comes from'
  from pg_catalog.pg_subscription s
  join pg_catalog.pg_subscription_rel t on t.srsubid = s.oid and s.subenabled
  join ours o on o.oid = t.srrelid
  group by s.subname
  union all
  select 'child_table', format('%s inherits from %s: rows that are written to it are not seen', c.oid::pg_catalog.regclass, o.of_table),
    format('alter table %s no inherit %s;  -- and then: select sync.reset();', c.oid::pg_catalog.regclass, o.of_table)
  from ours o
  join pg_catalog.pg_inherits i on i.inhparent = o.oid
  join pg_catalog.pg_class c on c.oid = i.inhrelid and not c.relispartition
  union all
  select 'row_security', format('row-level security of %s holds for %s, too, which owns the functions: they read nothing of it, '
      'and fail', o.of_table, current_user),
    case when c.relforcerowsecurity and pg_has_role(c.relowner, 'usage') then
        format('alter table %s no force row level security;  -- or, as a superuser: ', o.of_table) else '' end
      || format('alter role %I bypassrls;', current_user)
  from ours o
  join pg_catalog.pg_class c on c.oid = o.oid and row_security_active(c.oid);

  -- The numbers of messages. The index has no order of numbers: so whether the next ones are taken, before they are met.
  begin
    return query
    select 'message_sequence', format('the sequence of messages is at %s, and msg_%s is taken: inserts will fail', q.next, n.number),
      'select setval(''sync.message_number'', (select max(substr(i.message_id, 5)::bigint) from public.intentions i));'
    from (select m.last_value + m.is_called::integer as next from sync.message_number m) as q
    cross join generate_series(q.next, q.next + 255) as n (number)
    where (select true from public.intentions i where i.message_id = 'msg_' || n.number)
    limit 1;
  exception
    when lock_not_available or undefined_table then
      null;  -- a DBA is at work on the table; or it is not there, as is told above
  end;
end
$$;
comment on function sync.warnings() is
  'The quiet troubles of this database, mostly none: a row each, with what to run. Reads the catalogs, and no table whole.';


-- Chapter 6: the triggers. What ties the functions to the tables: before a row is written it is completed (chapter 1),
-- after a statement it is noted, and at commit recorded (chapter 2). The last one sits on sync.notes, so that whatever is
-- noted has its turn after it, also where set constraints all immediate makes the two of one statement. Creating a
-- trigger locks its table, so that one which is there is left alone; a migration that changes one drops it first.
-- A WHEN is for what is short: Postgres parses it anew for each statement.

-- The triggers that there have to be.
create or replace function sync._triggers()
returns table (name text, of_table text, statement text)
language sql
immutable
set search_path = ''
as $$
  select t.name, e.of_table, format('create trigger %I %s on %s %s execute function sync.%s(%L)',
    t.name, t.fires, e.of_table, t.how, t.calls, e.entity_type)
  from sync._entities() e
  join (
    values
      ('spacefeed_place', 'being', 'before insert', 'for each row when (new.type = ''space'' and new.location_id is null)', '_complete'),
      ('spacefeed_name', 'intention', 'before insert', 'for each row', '_complete'),
      ('zz_spacefeed_stamp', null, 'before update', 'for each row', '_complete'),
      ('spacefeed_note_insert', null, 'after insert', 'referencing new table as touched_rows', '_note'),
      ('spacefeed_note_update', null, 'after update', 'referencing old table as old_rows new table as new_rows', '_note'),
      ('spacefeed_note_delete', null, 'after delete', 'referencing old table as touched_rows', '_note'),
      ('spacefeed_note_truncate', null, 'after truncate', '', '_note')
  ) as t (name, of_type, fires, how, calls) on e.entity_type = coalesce(t.of_type, e.entity_type)
  union all
  values ('spacefeed_commit', 'sync.notes', 'create constraint trigger spacefeed_commit after insert on sync.notes '
    'deferrable initially deferred for each row execute function sync._commit()')
$$;

do $$
declare
  missing pg_catalog.text;
begin
  for missing in
    select w.statement
    from sync._triggers() w
    where not exists (
      select from pg_catalog.pg_trigger t where t.tgname = w.name and t.tgrelid = w.of_table::pg_catalog.regclass)
  loop
    execute missing;
  end loop;
end
$$;


-- Chapter 7: rights. Last, when every function is there: they are nobody's but the owner's, and the relay's.
-- A relay has no right on a table but the list of the migrations: it reads and writes by way of functions, which name what
-- leaves (P9). read, write and open ask sync.authorize(); state and changes_since trust the relay to have asked by open.
-- What a relay of yours is to call besides is one line here.

revoke all on schema sync from public;
revoke execute on all functions in schema sync from public;

do $$
begin
  if not exists (select from pg_catalog.pg_roles r where r.rolname = 'spacefeed_relay') then
    return;
  end if;
  grant usage on schema sync to spacefeed_relay;
  grant select on sync.migrations to spacefeed_relay;
  grant execute on function
    sync.changes_since(text[], bigint[], integer),
    sync.epoch(),
    sync.lead(boolean),
    sync.notify_queue(),
    sync.open(jsonb[], text[], text[]),
    sync.reach(text[]),
    sync.read(jsonb, text, text, text, integer, text),
    sync.record(pg_snapshot, text[], integer),
    sync.relay_seen(boolean),
    sync.state(text, integer, text[]),
    sync.warnings(),
    sync.write(jsonb, text, text, text, text, jsonb, text[])
  to spacefeed_relay;
end
$$;

grant execute on function sync.epoch() to public;  -- it names the data and tells nothing of it; sync.status calls it


commit;
