import type { ClientBase } from "pg";

// Everything in the two schemas that a DBA could look at, one line each.
const CATALOG = `
with ours as (select oid, nspname from pg_namespace where nspname in ('public', 'sync')),
relations as (
  select c.*, o.nspname || '.' || c.relname as called from pg_class c join ours o on o.oid = c.relnamespace
), lines(line) as (
  select concat_ws(' ', 'schema', nspname, nspacl, obj_description(n.oid, 'pg_namespace'))
  from pg_namespace n where nspname = 'sync'
  union all
  select concat_ws(' ', 'relation', relkind, called, relpersistence, reloptions, relacl, obj_description(oid, 'pg_class'),
    case relkind when 'v' then pg_get_viewdef(oid) when 'i' then pg_get_indexdef(oid) end)
  from relations
  union all
  select concat_ws(' ', 'column', r.called, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    a.attstorage, a.attgenerated, a.attidentity, a.attacl, pg_get_expr(d.adbin, d.adrelid), col_description(r.oid, a.attnum))
  from relations r
  join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
  union all
  select concat_ws(' ', 'constraint', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid),
    obj_description(c.oid, 'pg_constraint'))
  from pg_constraint c join ours o on o.oid = c.connamespace
  union all
  select concat_ws(' ', 'trigger', pg_get_triggerdef(t.oid), t.tgenabled)
  from pg_trigger t join relations r on r.oid = t.tgrelid where not t.tgisinternal
  union all
  select concat_ws(' ', 'function', pg_get_functiondef(p.oid), p.proacl, obj_description(p.oid, 'pg_proc'))
  from pg_proc p join ours o on o.oid = p.pronamespace
  union all
  select concat_ws(' ', 'sequence', s.schemaname, s.sequencename, s.data_type, s.increment_by, s.max_value)
  from pg_sequences s where s.schemaname in ('public', 'sync')
)
select line from lines order by line collate "C"`;

/** The schema of a database as text, for comparison. */
export async function catalogOf(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(CATALOG);
  return rows.map((row) => row.line);
}
