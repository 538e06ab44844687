-- Only the members of a space read it and write in it: whoever owns a being there. Anybody may begin a new space.
create or replace function sync.authorize(claims jsonb, action text, space_id text, entity jsonb)
returns boolean language sql stable set search_path = pg_catalog, pg_temp as $$
  select exists (
      select
      from public.beings b
      where b.location_id = authorize.space_id
        and b.owner_id = authorize.claims ->> 'being'
    )
    or (
      authorize.action = 'create'
      and authorize.entity ->> 'type' = 'space'
      and authorize.entity ->> 'id' = authorize.space_id
      and sync.current_cursor(authorize.space_id) is null  -- none that ever was
    )
$$;
