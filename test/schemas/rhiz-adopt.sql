-- Spacefeed's own two tables, which are empty, give their names to the application's.
select sync.untrack('being'), sync.untrack('intention');

select sync.track('public.rhiz_om_beings', name => 'being', space => 'locationId',
  columns => array['id', 'name', 'type', 'ownerId', 'locationId', 'metadata', 'properties', 'content', 'createdAt', 'modifiedAt'],
  sorted_by => 'createdAt', owner => 'ownerId');

-- The client wants a messageId of a message, and this table has none: its ID is one. In one transaction, so that nobody
-- gets a message without.
begin;
select sync.track('public.rhiz_om_intentions', name => 'intention', space => 'locationId',
  columns => array['id', 'name', 'type', 'state', 'ownerId', 'locationId', 'content', 'createdAt', 'modifiedAt'],
  sorted_by => 'createdAt', label => 'id', owner => 'ownerId');
create or replace function sync.intention_json(intention public.rhiz_om_intentions)
returns json
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select row_to_json(wire)
  from (
    select
      intention."id",
      intention."id" as "messageId",
      intention."name",
      intention."type",
      intention."state",
      intention."ownerId",
      intention."locationId",
      intention."content",
      to_char(intention."createdAt" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "createdAt",
      to_char(intention."modifiedAt" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "modifiedAt"
  ) as wire
$$;
commit;

call sync.fill('being');
call sync.fill('intention');
