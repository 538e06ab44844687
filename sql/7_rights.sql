-- Chapter 7: rights. Last, when every function is there: they are nobody's but the owner's, and the relay's.
-- A relay reads by way of the functions, which name what leaves (P9), and writes the columns that the API knows.
-- It reads the same columns, to find a row and to compare it, no other one, and no table of schema sync but the list
-- of the migrations. What a relay of yours is to call besides is one line here.

revoke all on schema sync from public;
revoke execute on all functions in schema sync from public;

do $$
declare
  grants pg_catalog.text;
begin
  if not exists (select from pg_catalog.pg_roles r where r.rolname = 'spacefeed_relay') then
    return;
  end if;
  grant usage on schema sync to spacefeed_relay;
  grant select on sync.migrations to spacefeed_relay;
  -- All have it, unless it was revoked. Who may not grant it is told by sync.warnings() what to run.
  if has_schema_privilege(current_user, 'public', 'usage with grant option') then
    grant usage on schema public to spacefeed_relay;
  end if;
  for grants in
    select format('grant select (%1$s), insert (%1$s), update (%2$s), delete on %3$s to spacefeed_relay',
      array_to_string(e.columns, ','), array_to_string(array_remove(e.columns, 'id'), ','), e.of_table)
    from sync._entities() e
  loop
    execute grants;
  end loop;
  grant execute on function
    sync.beings(text, integer),
    sync.changes_since(text[], bigint[], integer),
    sync.current_cursor(text),
    sync.demand(jsonb, text, text, jsonb),
    sync.demand_owner(jsonb, text, text),
    sync.epoch(),
    sync.entity(text, text),
    sync.lead(boolean),
    sync.messages(text, integer, text),
    sync.notify_queue(),
    sync.open(jsonb[], text[], text[]),
    sync.reach(text[]),
    sync.record(pg_snapshot, text[], integer),
    sync.relay_seen(boolean),
    sync.snapshot(text, integer),
    sync.warnings()
  to spacefeed_relay;
end
$$;

grant execute on function sync.epoch() to public;  -- it names the data and tells nothing of it; sync.status calls it
