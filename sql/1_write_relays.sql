-- Chapter 1, continued: the relays. Whom a commit notifies, and what a relay asks that is not notified (P12).
--   asleep   relies on NOTIFY, for which every commit pays   awake   polls raised_since(), and commits are silent
-- A relay that falls asleep says so, and polls on until every transaction has ended that may not have heard of it:
-- those whose xid is lower than one that is drawn after the word is committed (src/server/sleep.ts).

create or replace function sync._relay_sleeps()
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  -- Asked when the transaction has its xid: whoever sees no relay asleep is waited for by each that goes to sleep
  -- after it. A snapshot that is older than the xid cannot know.
  if current_setting('transaction_isolation') not like 'read %' then
    return true;
  end if;
  -- The start of the statement: the snapshot is no older, so that a relay's sign of life is not overlooked.
  return exists (
    select
    from sync.relays r
    where r.asleep
      and r.seen_at > statement_timestamp() - interval '1 minute'
  );
end
$$;
comment on function sync._relay_sleeps() is
  'Whether a commit has to notify: a relay relies on it, or may do so. One that has been silent for a minute does not count (P12).';


drop function if exists sync.relay_seen(text);  -- of the version before, whose relays may be running still

create or replace function sync.relay_seen(
  relay_id text,
  asleep boolean default true
)
returns table (
  was_asleep boolean,
  before pg_snapshot
)
language sql
security definer
set search_path = ''
as $$
  delete from sync.relays r where r.seen_at < clock_timestamp() - interval '1 minute';
  with known as (
    -- Writers count it for a minute. Half of that leaves time for a sign of life that was long on its way.
    select r.asleep
    from sync.relays r
    where r.relay_id = relay_seen.relay_id
      and r.seen_at > clock_timestamp() - interval '30 seconds'
  ), seen as (
    insert into sync.relays as r (relay_id, asleep)
    values (relay_seen.relay_id, relay_seen.asleep)
    on conflict on constraint relays_pkey do update
    set asleep = excluded.asleep,
        seen_at = excluded.seen_at
  )
  select coalesce((select k.asleep from known k), false), pg_current_snapshot()
$$;
comment on function sync.relay_seen(text, boolean) is
  'A relay''s sign of life, and whether it sleeps from now on. Says whether writers have been notifying it until now,
and gives a snapshot of before. Also removes the rows of relays that have been silent for a minute.';


create or replace function sync.raised_since(seen pg_snapshot)
returns table (
  now_seen pg_snapshot,
  oldest_open xid8,
  space_ids text[]
)
language plpgsql
stable
security definer
set search_path = ''
set jit = off
set max_parallel_workers_per_gather = 0  -- a poll comes every few milliseconds
as $$
begin
  now_seen := pg_current_snapshot();
  oldest_open := pg_snapshot_xmin(now_seen);
  -- Left null where it cannot be told: there is nothing to start from, or xids have gone back (a restore, a
  -- failover). An xid that is still to come is that of a row that was restored.
  if pg_snapshot_xmax(seen) <= pg_snapshot_xmax(now_seen) then
    space_ids := array(
      select s.space_id
      from sync.spaces s
      where s.xid >= pg_snapshot_xmin(seen)
        and s.xid < pg_snapshot_xmax(now_seen)
        and not pg_visible_in_snapshot(s.xid, seen)
    );
  end if;
  return next;
end
$$;
comment on function sync.raised_since(pg_snapshot) is
  'A poll: the spaces that were raised by what was not visible in a snapshot, null for "any"; the snapshot to poll
from next; and the oldest transaction that was still open in it.';


create or replace function sync.relay_gone(relay_id text)
returns void
language sql
security definer
set search_path = ''
as $$
  delete from sync.relays r where r.relay_id = relay_gone.relay_id
$$;
comment on function sync.relay_gone(text) is 'A relay''s farewell.';
