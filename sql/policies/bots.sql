-- Bots write, guests read. The being's row says who is a bot, and only bots and your own SQL can write it.
create or replace function sync.authorize(claims jsonb, action text, space_id text, entity jsonb)
returns boolean language sql stable set search_path = pg_catalog, pg_temp as $$
  select authorize.action = 'read'
    or exists (
      select
      from public.beings b
      where b.id = authorize.claims ->> 'being'
        and b.type = 'bot'
    )
$$;
