-- Up Migration

-- The tables of the first version: 0002 and 0003 add to them, and 0002 calls changes.message_id label. What is done with them
-- is in the chapters, the files in the folder above, in the order of their numbers. They are replayed after each migration.
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

-- Down Migration

drop table public.beings, public.intentions, sync.spaces, sync.changes, sync.notes, sync.instance cascade;
drop sequence sync.message_number, sync.listening_until, sync.recording_until, sync.recorded_below cascade;
do $$
declare
  routine regprocedure;
begin
  for routine in select p.oid from pg_catalog.pg_proc p where p.pronamespace = 'sync'::regnamespace loop
    execute 'drop routine if exists ' || routine || ' cascade';
  end loop;
end
$$;
