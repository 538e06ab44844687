type Row = Record<string, unknown>;
type Query = (text: string) => Promise<Row[]>;

const OURS = "('public'::regnamespace, 'sync'::regnamespace)";
/** Tables, the view and the sequences; `name` with its schema. */
const RELATIONS = `
  select c.oid::int as id, n.nspname || '.' || c.relname as name, c.relkind as kind, obj_description(c.oid, 'pg_class') as says
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relnamespace in ${OURS}
    and c.relkind in ('r', 'v', 'S')
    and c.relname !~ '^migrations'
  order by n.nspname, c.oid`;
const COLUMNS = `
  select a.attrelid::int as relation, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
    case when a.attnotnull or c.relkind = 'v' then '' else 'may be null' end as nullable,
    pg_get_expr(d.adbin, d.adrelid) as preset, col_description(a.attrelid, a.attnum) as says
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid and c.relnamespace in ${OURS} and c.relkind in ('r', 'v')
  left join pg_catalog.pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
  where a.attnum > 0
    and not a.attisdropped
  order by a.attrelid, a.attnum`;
const FUNCTIONS = `
  select 'sync.' || p.proname as name, replace(pg_get_function_arguments(p.oid), 'IN ', '') as takes,
    coalesce(pg_get_function_result(p.oid), 'call') as gives,
    obj_description(p.oid, 'pg_proc') as says, p.proname ~ '^_' as is_private,
    has_function_privilege('spacefeed_relay', p.oid, 'execute') as is_the_relays
  from pg_catalog.pg_proc p
  where p.pronamespace = 'sync'::regnamespace
  order by p.proname, takes`;
const TRIGGERS = `
  select t.name, t.of_table, t.statement from sync._triggers() t order by t.of_table, t.name`;

/** The page of everything in the database, from the comments on it. */
export async function sqlPage(query: Query): Promise<string> {
  const relations = await query(RELATIONS);
  const columns = await query(COLUMNS);
  const functions = await query(FUNCTIONS);
  const triggers = await query(TRIGGERS);
  const of = (kind: string) => relations.filter((relation) => relation.kind === kind);
  const table = (relation: Row) =>
    tableOf(
      relation,
      columns.filter(({ relation: id }) => id === relation.id),
    );
  const publics = functions.filter(({ is_private }) => !is_private);
  const privates = functions.filter(({ is_private }) => is_private);
  return `# The database

For DBAs. Made from the \`comment on\` texts in [sql/](../sql) by \`npm run docs\`: change them there. Why it is so: [how it
works](how-it-works.md). What to run when: [operations](operations.md).

## Tables

${of("r").map(table).join("\n")}
## Views

${of("v").map(table).join("\n")}
## Sequences

${of("S").map(itemOf).join("\n")}

## Functions

Those with a mark (R) are granted to the role \`spacefeed_relay\`. The others are their owner's, but for \`sync.epoch()\`, which
anybody may call.

${publics.map(functionOf).join("\n")}
## Private functions

They may change with any version: call none of them.

| Function | |
|---|---|
${privates.map(({ name, says }) => `| \`${name}\` | ${flat(says)} |`).join("\n")}

## Triggers

| Trigger | On | |
|---|---|---|
${triggers.map(({ name, of_table, statement }) => `| \`${name}\` | \`${of_table}\` | \`${firesIn(statement as string)}\` |`).join("\n")}
`;
}

function tableOf(relation: Row, columns: Row[]): string {
  const lines = columns.map(({ name, type, nullable, preset, says }) => {
    const facts = [nullable, preset && `unless given \`${flat(preset)}\``].filter(Boolean).join(", ");
    return `| \`${name}\` | ${type} | ${facts} | ${flat(says)} |`;
  });
  return `### ${relation.name}

${flat(relation.says)}

| Column | Type | | |
|---|---|---|---|
${lines.join("\n")}
`;
}

function itemOf({ name, says }: Row): string {
  return `- \`${name}\`: ${flat(says)}`;
}

function functionOf({ name, takes, gives, says, is_the_relays: isRelays }: Row): string {
  return `### ${name}${isRelays ? " (R)" : ""}

\`${name}(${flat(takes)})\` → \`${flat(gives)}\`

${flat(says)}
`;
}

/** When a trigger fires: what stands between its name and its table. */
function firesIn(statement: string): string {
  const [, fires, , how] = /trigger \S+ (.*?) on (\S+) (.*) execute/.exec(statement) ?? [];
  return [fires, /deferred/.test(how ?? "") && "at commit"].filter(Boolean).join(", ");
}

/** A text in one line, which a table of Markdown can hold. */
function flat(text: unknown): string {
  return `${text ?? ""}`.replace(/\s+/g, " ").replaceAll("|", "\\|").replaceAll("<", "&lt;").trim();
}
