-- Chapter 7: rights. Last, when every function is there: they are nobody's but the owner's, and the relay's.
-- A relay has no right on a table but the list of the migrations: it reads and writes by way of functions, which name what
-- leaves (P9). read, write and open ask sync.authorize(); state and changes_since trust the relay to have asked by open.
-- A function that the relay is to call besides needs a line here, in the source: a migration writes this function anew.

create or replace function sync._called_by_relays()
returns regprocedure[]
language sql
stable
set search_path = ''
as $$
  select array[
    'sync.changes_since(text[], bigint[], integer)',
    'sync.demand_types(text[])',
    'sync.epoch()',
    'sync.lead(boolean)',
    'sync.notify_queue()',
    'sync.open(jsonb[], text[], text[])',
    'sync.prune(interval, integer)',
    'sync.reach(text[])',
    'sync.read(jsonb, text, text, text, integer, text)',
    'sync.record(pg_snapshot, text[], integer)',
    'sync.relay_gone(integer)',
    'sync.relay_seen(boolean)',
    'sync.state(text, integer, text[], boolean)',
    'sync.tell_reached(integer, text, text[], bigint[])',
    'sync.warnings()',
    'sync.write(jsonb, text, text, text, text, jsonb, text[])'
  ]::pg_catalog.regprocedure[]
$$;

revoke all on schema sync from public;
revoke execute on all routines in schema sync from public;

do $$
begin
  if not exists (select from pg_catalog.pg_roles r where r.rolname = 'spacefeed_relay') then
    return;
  end if;
  grant usage on schema sync to spacefeed_relay;
  grant select on sync.migrations to spacefeed_relay;
  execute format('grant execute on function %s to spacefeed_relay', (
    select string_agg(f.called::pg_catalog.text, ', ') from unnest(sync._called_by_relays()) as f (called)));
end
$$;

grant execute on function sync.epoch() to public;  -- it names the data and tells nothing of it; sync.status calls it
