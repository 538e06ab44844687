-- Whoever has a token reads everything and adds to it; only owners change and delete what is theirs.
create or replace function sync.authorize(claims jsonb, action text, space_id text, entity jsonb)
returns boolean language sql stable set search_path = pg_catalog, pg_temp as $$
  select authorize.claims is not null
    and (
      authorize.action in ('read', 'create')
      or authorize.entity ->> 'ownerId' = authorize.claims ->> 'being'
    )
$$;
