-- Chapter 4: access. Who may do what is decided here, in SQL, and nowhere else.
-- sync.authorize() is the DBA's: replace it with "create or replace function", with the same signature. It is
-- created only where it is missing, so that a migration never replaces yours. The one that comes with
-- Spacefeed allows everything to everybody. It is called as the owner: its search_path names pg_temp last, as in
-- chapter 1. Then who asks it, and the role of relays: what that may do is listed in 7_rights.sql.

do $$
begin
  if to_regprocedure('sync.authorize(jsonb, text, text, jsonb)') is null then
    create function sync.authorize(claims jsonb, action text, space_id text, entity jsonb)
    returns boolean
    language sql
    stable
    set search_path = pg_catalog, pg_temp
    as 'select true';
  end if;
  if obj_description('sync.authorize(jsonb, text, text, jsonb)'::regprocedure) is null then
    comment on function sync.authorize(jsonb, text, text, jsonb) is
      'May whoever has these claims (null: nobody in particular) do this in this space? action: read, create,
update or delete; entity: the being or message as it would be stored, null for read. The claims are those of the
token, and "being": the ID of the being that it stands for. entity has its type as "entityType". It sees the tables as they
were before the write.';
  end if;
end
$$;

-- These two return, or raise what is for the caller. A refusal does not name the space of an entity: they may not know it.
-- Its state is our own, so that it is told from whatever error the policy has, of which the text is not for them either.

-- Asks once for each space that the row is in; for a row in none with space_id null.
create or replace function sync._demand(claims jsonb, action text, space_ids text[], entity jsonb)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  for n in 1 .. greatest(cardinality(space_ids), 1) loop
    if sync.authorize(claims, action, space_ids[n], entity) is not true then
      raise exception 'not allowed: %', action using errcode = 'SF403';
    end if;
  end loop;
  return true;
end
$$;

-- Nobody with claims gives a row to somebody else: of what they create the owner is their being, else it stays.
create or replace function sync._demand_owner(claims jsonb, owner_id text, wanted text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  if claims is not null and wanted is distinct from owner_id then
    raise exception 'not allowed: ownerId is %, and no request may make it %',
      coalesce(owner_id, 'null'), coalesce(wanted, 'null') using errcode = 'SF403';
  end if;
  return true;
end
$$;

create or replace function sync.open(claims jsonb[], space_ids text[], sinces text[])
returns table (cursor text, since bigint, refusal text, reason text, is_of_policy boolean)
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  for n in 1 .. cardinality(space_ids) loop
    select true, null, null, null, null into is_of_policy, cursor, since, refusal, reason;
    begin
      is_of_policy := not sync._demand(claims[n], 'read', array[space_ids[n]], null);
      cursor := sync.current_cursor(space_ids[n]);
      since := sync.resolve_cursor(space_ids[n], sinces[n]);
    exception when others then
      refusal := sqlstate;  -- one newcomer's fault is not the others'
      reason := sqlerrm;
    end;
    return next;
  end loop;
end
$$;
comment on function sync.open(jsonb[], text[], text[]) is
  'Lets many newcomers in at once, a row each, in their order: the cursor of the space (null: there is none), and
the version that since stands for (null: only a snapshot will do). Or else the SQLSTATE of the refusal, its reason, and whether
sync.authorize() has raised it.';

-- A role is the cluster's, and another database may have made it. Grant it to the login of each relay.
do $$
begin
  if not exists (select from pg_catalog.pg_roles r where r.rolname = 'spacefeed_relay') then
    create role spacefeed_relay nologin;
  end if;
exception
  when duplicate_object or unique_violation then
    null;  -- made at this moment, by the migration of another database
  when insufficient_privilege then
    raise notice 'not made, since % may not: the role for relays with no more rights than they need', current_user
      using hint = 'Have it made with "create role spacefeed_relay nologin", and migrate again.';
end
$$;
