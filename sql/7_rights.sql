-- Chapter 7: rights. Last, when every function is there: they are nobody's but the owner's, and the relay's.
-- A relay reads by way of the functions, which name what leaves (P9), and writes the columns that the API knows.
-- It reads the same columns, to find a row and to compare it, no other one, and no table of schema sync but the list
-- of the migrations. What a relay of yours is to call besides is one line here.

revoke all on schema sync from public;
revoke execute on all functions in schema sync from public;


do $$
declare
  callable pg_catalog.text;
begin
  if not exists (select from pg_catalog.pg_roles r where r.rolname = 'spacefeed_relay') then
    return;
  end if;

  grant usage on schema sync to spacefeed_relay;
  -- All have it, unless it was revoked. Who may not grant it is told by sync.warnings() what to run.
  if has_schema_privilege(current_user, 'public', 'usage with grant option') then
    grant usage on schema public to spacefeed_relay;
  end if;
  grant select on sync.migrations to spacefeed_relay;

  foreach callable in array array[
    'sync.beings(text, integer)',
    'sync.changes_since(text[], bigint[], integer)',
    'sync.current_cursor(text)',
    'sync.demand(jsonb, text, text, jsonb)',
    'sync.demand_owner(jsonb, text, text)',
    'sync.epoch()',
    'sync.entity(text, text)',
    'sync.lead(boolean)',
    'sync.messages(text, integer, text)',
    'sync.notify_queue()',
    'sync.open(jsonb[], text[], text[])',
    'sync.reach(text[])',
    'sync.record(pg_snapshot, text[], integer)',
    'sync.relay_seen(boolean)',
    'sync.snapshot(text, integer)',
    'sync.warnings()'
  ]
  loop
    execute 'grant execute on function ' || callable || ' to spacefeed_relay';
  end loop;

  grant
    select (id, name, type, owner_id, location_id, metadata, properties, content),
    insert (id, name, type, owner_id, location_id, metadata, properties, content),
    update (name, type, owner_id, location_id, metadata, properties, content),
    delete
    on public.beings to spacefeed_relay;
  grant
    select (id, name, type, state, owner_id, location_id, content),
    insert (id, name, type, state, owner_id, location_id, content),
    update (name, type, state, owner_id, location_id, content),
    delete
    on public.intentions to spacefeed_relay;
end
$$;


-- It names the data and tells nothing of it; sync.status calls it.
grant execute on function sync.epoch() to public;
