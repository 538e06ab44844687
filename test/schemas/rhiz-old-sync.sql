-- The sync of 25 July: a trigger raises the one version of a space with each change, and tells that space; who hears of it
-- reads the complete state anew, and sends it to everybody.

create table public.old_sync_versions (
  space_id  text primary key,
  version   bigint not null
);

create function public.increment_version()
returns trigger
language plpgsql
as $$
declare
  space text;
begin
  foreach space in array array(select distinct s from unnest(array[
    case when tg_op <> 'INSERT' then old."locationId" end, case when tg_op <> 'DELETE' then new."locationId" end]) s
    where s is not null order by s)
  loop
    insert into public.old_sync_versions as v values (space, 1)
    on conflict (space_id) do update set version = v.version + 1;
    perform pg_notify('old_sync', space);
  end loop;
  return null;
end
$$;
create trigger increment_space_version after insert or update or delete on public.rhiz_om_beings
  for each row execute function public.increment_version();
create trigger increment_space_version after insert or update or delete on public.rhiz_om_intentions
  for each row execute function public.increment_version();

create function public.complete_state(space text)
returns json
language sql
as $$
  select json_build_object(
    'version', (select v.version from public.old_sync_versions v where v.space_id = space),
    'beings', (select coalesce(json_agg(json_build_object('id', b."id", 'name', b."name", 'type', b."type") order by b."id"), '[]')
      from public.rhiz_om_beings b where b."locationId" = space),
    'intentions', (select coalesce(json_agg(json_build_object('id', i."id", 'state', i."state", 'content', i."content") order by i."id"), '[]')
      from public.rhiz_om_intentions i where i."locationId" = space),
    'timestamp', now())
$$;
