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
