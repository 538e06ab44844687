-- Chapter 1, continued: the commit. Files the touched rows, in one statement: what was touched, what the tables say
-- of it now, the spaces raised in sorted order, the relays woken, and one row an entity in sync.changes.

create or replace function sync._look_up(
  entity_type text,
  space_ids text[],
  entity_ids text[]
)
returns table (
  space_id text,
  entity_id text,
  is_there text
)
language plpgsql
security definer
set search_path = ''
set enable_seqscan = off  -- a plan that was made when the table was small
as $$
begin
  -- A table is not looked at in vain: TRUNCATE of one table and then the other would deadlock with a commit.
  if cardinality(entity_ids) = 0 then
    return;
  end if;
  case entity_type
    when 'intention' then
      return query
      select
        t.space_id,
        t.entity_id,
        (select case when i.location_id = t.space_id then i.message_id::pg_catalog.text end
         from public.intentions i
         where i.id = t.entity_id)
      from unnest(space_ids, entity_ids) as t (space_id, entity_id);
    when 'being' then
      return query
      select
        t.space_id,
        t.entity_id,
        (select case when b.location_id = t.space_id then '' end
         from public.beings b
         where b.id = t.entity_id)
      from unnest(space_ids, entity_ids) as t (space_id, entity_id);
  end case;
end
$$;
comment on function sync._look_up(text, text[], text[]) is
  'For entities of one type, each in a space, whether the table has it there: is_there is the message_id, empty for
a being, and null where it is not.';


create or replace function sync._file(noted text)
returns bigint
language plpgsql
security definer
set search_path = ''
set enable_seqscan = off  -- a plan that was made when the tables were small
set jit = off  -- it would take longer than the commit, where sync.touched looks large after a bulk load
as $$
declare
  filed bigint;
begin
  with chunk as (
    delete from sync.touched t
    where t.xid = pg_current_xact_id()
    returning t.rows
  ), truncated as (
    delete from sync.truncated t
    returning t.location_id as space_id
  ), line as materialized (
    select l.line
    from (
      select c.rows
      from chunk c
      union all
      select substr(noted, strpos(noted, E'\n') + 1)
    ) as part, string_to_table(rtrim(part.rows, E'\n'), E'\n') as l (line)
    where part.rows <> ''
  ), touched as materialized (
    -- What comes out of a setting has collation C, with which no index on an ID would be used.
    select distinct
      split_part(l.line, E'\t', f.field) collate "default" as space_id,
      split_part(l.line, E'\t', f.field + 1) collate "default" as entity_type,
      split_part(l.line, E'\t', f.field + 2) collate "default" as entity_id
    from line l, (values (1), (4)) as f (field)
    where split_part(l.line, E'\t', f.field) <> ''
  ), looked_up as (
    -- The set only says where to look, the tables say what is there: who forges it can keep changes of his own
    -- from the readers, and nothing else.
    select 'intention' as entity_type, i.*
    from sync._look_up(
      'intention',
      array(select t.space_id from touched t where t.entity_type = 'intention'),
      array(select t.entity_id from touched t where t.entity_type = 'intention')
    ) as i
    union all
    select 'being', b.*
    from sync._look_up(
      'being',
      array(select t.space_id from touched t where t.entity_type = 'being'),
      array(select t.entity_id from touched t where t.entity_type = 'being')
    ) as b
    union all
    select distinct 'truncate', t.space_id, '', null
    from truncated t
  ), changed as materialized (
    select
      l.*,
      coalesce(
        l.is_there,
        (select coalesce(c.message_id, '')
         from sync.changes c
         where c.entity_id = l.entity_id
           and c.entity_type = l.entity_type
           and c.space_id || '' = l.space_id  -- by the primary key: without statistics, an index on spaces looks as good
           and c.deleted_at is null),
        case when l.entity_type = 'truncate' then '' end
      ) as message_id
    from looked_up l
  ), raised as (
    -- Sorted, so that two commits never deadlock (P8); at most once a transaction (P1).
    insert into sync.spaces as s (space_id, version, floor, xid)
    select c.space_id, 1, bool_or(c.entity_type = 'truncate')::integer, pg_current_xact_id()
    from changed c
    where c.message_id is not null
    group by c.space_id
    order by c.space_id collate "C"
    on conflict (space_id) do update
    -- A restored xid may be that of this transaction by chance: then the row itself is older than it.
    set version = s.version + (s.xid <> excluded.xid or age(s.xmin) > 0)::integer,
        floor = case when excluded.floor = 0 then s.floor
          else s.version + (s.xid <> excluded.xid or age(s.xmin) > 0)::integer end,
        xid = excluded.xid
    returning s.space_id, s.version, pg_notify('spacefeed', s.version || ' ' || s.space_id)
  ), filed as (
    insert into sync.changes as c
      (space_id, entity_type, entity_id, version, created_version, message_id, deleted_at)
    select
      n.space_id,
      n.entity_type,
      n.entity_id,
      r.version,
      r.version,
      nullif(n.message_id, ''),
      case when n.is_there is null then clock_timestamp() end
    from changed n
    join raised r on r.space_id = n.space_id
    where n.message_id is not null  -- null: came and went in this transaction
      and n.entity_type <> 'truncate'
    on conflict on constraint changes_pkey do update
    set version = excluded.version,
        created_version = case when c.deleted_at is null then c.created_version else excluded.version end,
        message_id = excluded.message_id,
        deleted_at = excluded.deleted_at
  )
  select count(*) into filed from line;
  return filed;
end
$$;
comment on function sync._file(text) is
  'Locks the spaces of the touched rows, raises each version by one, wakes the relays with "<version>
<space_id>", and files the rows in sync.changes under the new versions. Returns how many rows were touched.';
