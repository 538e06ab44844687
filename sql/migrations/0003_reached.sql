-- Up Migration

-- What relays answer when somebody asks whether all readers have it: 5_reached.sql.

create table sync.relays (
  relay          integer not null,
  missing_since  timestamptz,
  missed_at      timestamptz,
  constraint relays_pkey primary key (relay)
);
comment on table sync.relays is 'The relays whose readers sync.reached() waits to hear of.';
comment on column sync.relays.relay is 'A number that each draws at its start.';
comment on column sync.relays.missing_since is 'It is asked and does not answer, while others do: after 30 s of that it counts as gone.';
comment on column sync.relays.missed_at is 'When another relay saw that last.';

create unlogged table sync.readers (
  relay     integer not null,
  space_id  text not null,
  version   bigint,
  said_at   timestamptz not null default clock_timestamp(),
  constraint readers_pkey primary key (relay, space_id)
);
comment on table sync.readers is 'What relays have answered of the spaces that they were asked about.';
comment on column sync.readers.version is 'All its readers had it; where there were none, the version of the space then. Null: there was no such space.';

-- Down Migration

drop table sync.relays, sync.readers cascade;
drop routine if exists sync.reached, sync.wait_until_reached, sync.tell_reached, sync.relay_gone cascade;
