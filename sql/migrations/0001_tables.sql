-- Up Migration

-- The tables, and nothing but the tables: how they are written, read, guarded and operated is in the
-- chapters sql/1_write.sql to sql/4_operate.sql, which are replayed after each migration.
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
comment on column public.beings.type is 'guest, space, bot or document.';
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
comment on column public.intentions.type is 'utterance or error.';
comment on column public.intentions.state is 'draft, active (still growing), paused, complete, cancelled or failed.';
comment on column public.intentions.owner_id is 'The being that says it; null when nobody does.';
comment on column public.intentions.location_id is 'The space that it is said in.';
comment on column public.intentions.content is 'A JSON array.';
comment on column public.intentions.created_at is 'The clock, not the start of the transaction: the messages of one transaction keep their order.';


create sequence sync.message_number;
comment on sequence sync.message_number is 'The n of msg_<n>. Rolled-back inserts leave holes in it.';


create table sync.spaces (
  space_id  text not null,
  version   bigint not null,
  floor     bigint not null default 0,
  xid       xid8 not null,
  constraint spaces_pkey primary key (space_id),
  constraint spaces_floor_valid check (floor between 0 and version)
) with (fillfactor = 70);

comment on table sync.spaces is 'The clock of each space. Outlives the space itself, so that a version is never given out twice.';
comment on column sync.spaces.version is 'Committed transactions that changed this space (P1).';
comment on column sync.spaces.floor is 'A cursor below it cannot be caught up by events: sync.changes no longer has its deletions.';
comment on column sync.spaces.xid is 'The transaction that raised the version last.';


create table sync.changes (
  space_id         text not null,
  entity_type      text not null,
  entity_id        text not null,
  version          bigint not null,
  created_version  bigint not null,
  message_id       text,
  deleted_at       timestamptz,
  deleted          boolean not null generated always as (deleted_at is not null) stored,
  -- The most telling column first: it decides nearly every comparison.
  constraint changes_pkey primary key (entity_id, entity_type, space_id),
  constraint changes_entity_type_valid check (entity_type in ('being', 'intention')),
  constraint changes_created_before_changed check (created_version between 1 and version),
  constraint changes_message_id_of_intentions check ((message_id is not null) = (entity_type = 'intention'))
);
create index changes_space_id_version_idx on sync.changes (space_id, version);
create index changes_deleted_at_idx on sync.changes (deleted_at) where deleted_at is not null;

comment on table sync.changes is 'The last change of each entity in each space: one row an entity, however often it changes. Catch-up reads it by version.';
comment on column sync.changes.version is 'The version of the space at the last change.';
comment on column sync.changes.created_version is 'The version at which the entity came into the space: above a cursor, the event is created, else updated.';
comment on column sync.changes.deleted_at is 'When it was deleted or left the space: the row is a tombstone until sync.prune() drops it.';


create unlogged table sync.touched (
  xid    xid8 not null,
  chunk  integer not null,
  rows   text not null,
  constraint touched_pkey primary key (xid, chunk)
);
alter table sync.touched alter column rows set storage plain;
comment on table sync.touched is 'Rows that open transactions have touched, where a setting does not hold them all. Empty after each commit.';


create unlogged table sync.truncated (
  location_id  text not null,
  id           text not null
);
comment on table sync.truncated is 'A row for each space that TRUNCATE empties, until its transaction commits. Empty after each commit.';


create table sync.relays (
  relay_id  text not null,
  asleep    boolean not null default true,
  seen_at   timestamptz not null default clock_timestamp(),
  constraint relays_pkey primary key (relay_id)
);
comment on table sync.relays is 'The relays that serve this database, each with its last sign of life.';
comment on column sync.relays.asleep is 'True while the relay relies on NOTIFY.';


create table sync.instance (
  epoch  text not null default gen_random_uuid()::text,
  one    boolean not null default true,
  constraint instance_one_row primary key (one),
  constraint instance_one check (one)
);
insert into sync.instance default values;
comment on table sync.instance is 'One row. Its epoch is part of every cursor, by way of sync.epoch(); sync.reset() replaces it (P11).';


-- Down Migration

drop table public.beings, public.intentions cascade;
drop table sync.spaces, sync.changes, sync.touched, sync.truncated, sync.relays, sync.instance cascade;
drop sequence sync.message_number cascade;
do $$
declare
  routine regprocedure;
begin
  for routine in
    select p.oid::regprocedure from pg_catalog.pg_proc p where p.pronamespace = 'sync'::regnamespace
  loop
    execute 'drop routine if exists ' || routine || ' cascade';
  end loop;
end
$$;
