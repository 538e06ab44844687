-- Chapter 5, continued: whether all have it. A relay alone knows its readers, and is asked when somebody wants to know: by a
-- notification, which each relay answers with one call for all spaces that it was asked about meanwhile. Nobody asks, and
-- nothing is written. It is a true lower bound: a relay that has not answered makes it null, until it counts as gone.

create or replace function sync.reached(space_id text, since timestamptz default '-infinity')
returns bigint
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform pg_notify('spacefeed', 'reached ' || reached.space_id);
  return (
    select case when count(*) = count(a.relay) then coalesce(min(a.version), sync._version(reached.space_id)) end
    from sync.relays r
    left join sync.readers a
      on (a.relay, a.space_id) = (r.relay, reached.space_id)
        and a.said_at > greatest(clock_timestamp() - '5 s'::interval, reached.since));
end
$$;
comment on function sync.reached(text, timestamptz) is
  'The version that every reader of a space has, who is connected to whichever relay, as its relay knew in the last 5 s; with
no readers, the version of the space. since: only answers after that time count. Null: not all relays have answered yet. It asks
them at its commit: call it again.';

create or replace procedure sync.wait_until_reached(space_id text, version bigint default null, patience interval default '30 s')
language plpgsql
as $$
declare
  began constant pg_catalog.timestamptz := clock_timestamp();  -- answers of before know nothing of who has come since
  until constant pg_catalog.timestamptz := began + patience;
  wanted bigint := version;
  lowest bigint;
  is_pending boolean;
  pause double precision := 0;
begin
  loop
    perform set_config('search_path', '', true);  -- a procedure that commits may have none of its own
    perform pg_sleep(pause);
    pause := 0.05;
    if wanted is null then
      select case when not r.is_pending then r.version end, r.is_pending into wanted, is_pending
      from sync.reach(array[space_id]) r;
      if wanted is null and not is_pending then
        raise exception 'there is no space %', space_id using errcode = 'SF404';
      end if;
    end if;
    lowest := sync.reached(space_id, began);
    exit when lowest >= wanted;
    if clock_timestamp() > until then
      raise exception 'not all readers of % have version %: %', space_id, coalesce(wanted::pg_catalog.text, 'that is being recorded'),
        coalesce('one has ' || lowest || ' and no more', 'a relay does not answer')
        using errcode = 'SF504', hint = 'Readers that are slow are caught up, and cut off after 30 s without a byte. Call it again.';
    end if;
    commit;
  end loop;
end
$$;
comment on procedure sync.wait_until_reached(text, bigint, interval) is
  'Returns when sync.reached() has come to this version; null: to what is committed at the call. Raises SF504 when patience
ends. It commits between its looks: call it outside of a transaction.';

create or replace function sync.tell_reached(relay integer, epoch text, space_ids text[], versions bigint[])
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  insert into sync.relays as r (relay) values (tell_reached.relay)
  on conflict on constraint relays_pkey do update set missing_since = null, missed_at = null;
  delete from sync.readers a where a.relay = tell_reached.relay and a.said_at < clock_timestamp() - '1 min'::interval;
  insert into sync.readers (relay, space_id, version)
  -- With no readers, all that was there had the version of now. Readers of another incarnation of the data have nothing of this one.
  select tell_reached.relay, t.space_id,
    case when t.version is null then sync._version(t.space_id) when tell_reached.epoch = sync.epoch() then t.version else 0 end
  from unnest(space_ids, versions) as t (space_id, version)
  on conflict on constraint readers_pkey do update set version = excluded.version, said_at = excluded.said_at;
  -- Who lives answers each question: so none is gone that has answered one in the last 25 s. Nobody waits for another's row.
  update sync.relays r
  set missing_since = case when r.missed_at > clock_timestamp() - '25 s'::interval then r.missing_since else clock_timestamp() end,
      missed_at = clock_timestamp()
  where r.relay in (
    select o.relay
    from sync.relays o
    where exists (
      select unnest(space_ids)
      except
      select a.space_id from sync.readers a where a.relay = o.relay and a.said_at > clock_timestamp() - '5 s'::interval)
    for update skip locked);
  perform sync.relay_gone(o.relay)
  from (
    select r.relay
    from sync.relays r
    where r.missing_since < clock_timestamp() - '30 s'::interval and r.missed_at > clock_timestamp() - '5 s'::interval
    for update skip locked) as o;
end
$$;
comment on function sync.tell_reached(integer, text, text[], bigint[]) is
  'A relay''s answer: the version that all of its readers have of each space, null where nobody reads. With no spaces it says
that it is there.';

create or replace function sync.relay_gone(relay integer)
returns void
language sql
security definer
set search_path = ''
as $$
  delete from sync.relays r where r.relay = relay_gone.relay;
  delete from sync.readers a where a.relay = relay_gone.relay;
$$;
comment on function sync.relay_gone(integer) is 'A relay has ended, and its readers with it.';
