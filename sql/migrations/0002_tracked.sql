-- Up Migration

-- Any table can be tracked: beings and intentions are two of them. What is written for each is in 1_tables.sql.

-- Identifiers are kept as text: they are the columns of other people, and may have any name.
create table sync.tracked (
  entity_type    text not null,
  of_table       text not null,
  id_column      text not null,
  space_columns  text[] not null,
  columns        text[] not null,
  writable       text[] not null default '{}',
  listed_as      text,
  sorted_by      text,
  label_column   text,
  stamp_column   text,
  owner_column   text,
  filled_to      text,
  constraint tracked_pkey primary key (entity_type),
  constraint tracked_of_table_key unique (of_table),
  constraint tracked_listed_as_key unique (listed_as)
);
insert into sync.tracked (entity_type, of_table, id_column, space_columns, columns, writable, listed_as, sorted_by,
  label_column, stamp_column, owner_column)
values
  ('being', 'public.beings', 'id', '{location_id}',
    '{id,name,type,owner_id,location_id,metadata,properties,content,created_at,modified_at}',
    '{id,name,type,owner_id,location_id,metadata,properties,content}', 'beings', 'created_at', null, 'modified_at', 'owner_id'),
  ('intention', 'public.intentions', 'id', '{location_id}',
    '{id,message_id,name,type,state,owner_id,location_id,content,created_at,modified_at}',
    '{id,name,type,state,owner_id,location_id,content}', 'intentions', 'created_at', 'message_id', 'modified_at', 'owner_id');

comment on table sync.tracked is 'The tables whose rows clients see: sync.track() adds one, sync.untrack() takes it away.';
comment on column sync.tracked.entity_type is 'What a row is called on the wire: being, intention, task.';
comment on column sync.tracked.id_column is 'The primary key.';
comment on column sync.tracked.space_columns is 'They say which spaces a row is in: it is in each that is not null.';
comment on column sync.tracked.columns is 'What leaves, unless its wire function was replaced (P9).';
comment on column sync.tracked.writable is 'What the API may write.';
comment on column sync.tracked.listed_as is 'Its own key in a state; null: it is under "entities".';
comment on column sync.tracked.sorted_by is 'A time: the order of a list. Null: by the ID.';
comment on column sync.tracked.label_column is 'A second name, unique, that a list is paged by; its newest rows come first.';
comment on column sync.tracked.stamp_column is 'Another value with each change of what leaves. Null: the wire forms are compared.';
comment on column sync.tracked.owner_column is 'Whose row it is: of what somebody with claims creates, their being.';
comment on column sync.tracked.filled_to is 'Rows up to this ID are recorded, while sync.fill() records those that were there; null: all are.';

alter table sync.changes rename column message_id to label;
comment on column sync.changes.label is 'The message_id of an intention: also a deletion names its message.';

alter table sync.spaces add column raised_at timestamptz;
comment on column sync.spaces.raised_at is 'When the version was raised, by the clock of the server: how long it takes a relay to read it is measured from here.';

-- The chapters write the functions anew, and the triggers: those of before have other arguments. What a DBA has replaced stays,
-- and what is not ours. A new install has none of them yet: then one of these names is somebody else's.
do $$
declare
  routine pg_catalog.regprocedure;
begin
  for routine in
    select p.oid
    from pg_catalog.pg_proc p
    where p.pronamespace = 'sync'::regnamespace
      and exists (select from pg_catalog.pg_trigger t where t.tgrelid = 'sync.notes'::regclass and t.tgname = 'spacefeed_commit')
      and p.proname = any (('{_all,_columns,_commit,_complete,_demand,_demand_owner,_demand_row,_demand_space,_entities,_event,'
      '_file,_find,_most_bytes,_note,_recorded_below,_triggers,_version,_wire,being_json,beings,'
      'changes_since,current_cursor,epoch,intention_json,lead,messages,notify_queue,open,prune,reach,read,'
      'record,relay_seen,reset,resolve_cursor,snapshot,state,verify,warnings,write}')::text[])
      and (p.proname not in ('being_json', 'intention_json')
        or md5(p.prosrc) in ('f85cdc633a919e1cc7860d03a63068b4', '24cf6694a7a50cd7695ecb1bb1321158'))
  loop
    execute 'drop routine if exists ' || routine || ' cascade';
  end loop;
  if obj_description(to_regprocedure('sync.authorize(jsonb, text, text, jsonb)')) like 'May whoever%' then
    comment on function sync.authorize(jsonb, text, text, jsonb) is null;  -- it told nothing of entityType
  end if;
end
$$;

-- Down Migration

do $$
declare
  others pg_catalog.text;
  routine pg_catalog.regprocedure;
begin
  select string_agg(format('select sync.untrack(%L);', t.entity_type), ' ')
  into others
  from sync.tracked t
  where t.of_table not in ('public.beings', 'public.intentions');
  if others is not null then
    raise exception 'other tables are tracked, which the step before this one does not know' using hint = 'First: ' || others;
  end if;
  for routine in
    select p.oid
    from pg_catalog.pg_proc p
    where p.pronamespace = 'sync'::regnamespace and p.proname not in ('authorize', 'being_json', 'intention_json')
  loop
    execute 'drop routine if exists ' || routine || ' cascade';
  end loop;
end
$$;
drop table sync.tracked cascade;
alter table sync.changes rename column label to message_id;
alter table sync.spaces drop column raised_at;
