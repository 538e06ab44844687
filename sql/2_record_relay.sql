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
  'Turns committed notes into versions: those that the snapshot seen does not show, or all. The spaces in
apart are left out; left_behind are those that another session is recording, failed those that could not be recorded: reason
says why.';

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
