-- Chapter 1: the write path. What happens when anybody writes a row.
--   at once    place, stamp, name: fill in what the writer left out; touch: note the row and its space.
--   at commit  record: have all noted rows filed under one new version of each space (1_write_commit.sql).
-- An open transaction has therefore locked no space (P8), and one transaction is one version (P1, P5).
-- Every function runs as its owner: a writer needs rights on public.beings and public.intentions only.

create or replace function sync._place()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  new.location_id := new.id;
  return new;
end
$$;
comment on function sync._place() is 'A space that is created without a location is in itself, so that its name is in its own feed.';


create or replace function sync._stamp()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if new.modified_at = old.modified_at then
    new.modified_at := clock_timestamp();
  end if;
  return new;
end
$$;
comment on function sync._stamp() is 'Moves modified_at on an update that does not set it.';


create or replace function sync._name_message()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- A name that the writer brings along is not used: it could be one that the sequence will give out.
  if tg_op = 'INSERT' then
    new.message_id := 'msg_' || nextval('sync.message_number');
  else
    new.message_id := old.message_id;
  end if;
  return new;
end
$$;
comment on function sync._name_message() is 'Assigns message_id on insert, and keeps it ever after.';


create or replace function sync._lost()
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  raise exception 'spacefeed cannot commit: its list of the rows that this transaction touched is gone'
    using errcode = 'invalid_transaction_state',
          hint = 'Run the transaction again without RESET ALL or SET sync.touched between its statements.';
end
$$;
comment on function sync._lost() is 'Refuses a transaction of which not every change would be filed (P3).';


create or replace function sync._touch()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  -- The set is a text. First how many turns of record are still to come for rows that have been filed; after
  -- a space, how many chunks of the set are in sync.touched; then a line a row: where it was and where it is,
  -- each as space, type, ID with tabs behind them (no ID has a control character).
  touched pg_catalog.text := coalesce(nullif(current_setting('sync.touched', true), ''), '0');
  chunk integer;
begin
  if strpos(touched, E'\n') = 0 then
    touched := touched || E' 0\n';
  end if;
  if tg_op = 'INSERT' then
    touched := touched || coalesce(new.location_id || E'\t' || tg_argv[0] || E'\t' || new.id || E'\t', '') || E'\t\n';
  else
    touched := touched || coalesce(old.location_id || E'\t' || tg_argv[0] || E'\t' || old.id || E'\t', '');
    if tg_op = 'UPDATE' and (new.location_id is distinct from old.location_id or new.id <> old.id) then
      touched := touched || coalesce(new.location_id || E'\t' || tg_argv[0] || E'\t' || new.id || E'\t', '');
    end if;
    touched := touched || E'\t\n';
  end if;

  -- A local setting follows savepoints and rollbacks by itself (P4), but is copied whole at each turn: what
  -- is more than about a dozen rows goes to a table.
  if octet_length(touched) > 600 then
    chunk := split_part(split_part(touched, E'\n', 1), ' ', 2)::integer + 1;
    insert into sync.touched (xid, chunk, rows)
    values (pg_current_xact_id(), chunk, substr(touched, strpos(touched, E'\n') + 1))
    on conflict do nothing;
    if not found then
      perform sync._lost();
    end if;
    touched := split_part(touched, ' ', 1) || ' ' || chunk || E'\n';
  end if;
  touched := set_config('sync.touched', touched, true);
  return null;
end
$$;
comment on function sync._touch() is 'Notes the row in the transaction''s set of touched rows: where it was, and where it is.';


create or replace function sync._record()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  touched pg_catalog.text := current_setting('sync.touched', true);
  turns bigint;
begin
  -- The first row's turn files the whole set, in one statement: a row of a bulk load then costs what it
  -- costs to insert a row, and not to run a statement. The turns of the others are only counted: one too
  -- many, and its row was not in the set.
  if strpos(touched, E'\n') > 0 then
    turns := split_part(touched, ' ', 1)::bigint + sync._file(touched);
  else
    turns := nullif(touched, '');
  end if;
  if turns > 0 then
    touched := set_config('sync.touched', (turns - 1)::pg_catalog.text, true);
  else
    perform sync._lost();
  end if;
  return null;
end
$$;
comment on function sync._record() is 'At commit: has all rows filed that the transaction has touched.';


create or replace function sync._truncate()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if current_setting('transaction_isolation') not like 'read %' then
    raise exception 'TRUNCATE empties a table also of rows that a % transaction does not see',
      current_setting('transaction_isolation')
      using errcode = 'feature_not_supported',
            hint = 'Run it in a transaction that is read committed.';
  end if;

  -- No tombstones for what may be millions of rows: the floor of each space is raised at commit, which sends
  -- its readers to the snapshot. What was deleted before keeps its tombstone.
  with emptied as (
    delete from sync.changes c
    where c.entity_type = tg_argv[0]
      and c.deleted_at is null
    returning c.space_id
  )
  insert into sync.truncated (location_id, id)
  select distinct e.space_id, tg_argv[0]
  from emptied e;
  return null;
end
$$;
comment on function sync._truncate() is 'Notes every space that had such rows, to be raised at commit with its floor.';
