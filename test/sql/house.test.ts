import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { useDatabase } from "../support/postgres/database.js";
import { useSession } from "../support/postgres/session.js";

const db = useDatabase();
const s = useSession(db);

const FUNCTIONS = `
  select p.oid::regprocedure::text as name
  from pg_catalog.pg_proc p
  where p.pronamespace = 'sync'::regnamespace and p.prokind = 'f'`;

test("P9: every function in schema sync has a search_path of its own, without what others may create", async () => {
  expect((await s.query(FUNCTIONS)).length).toBeGreaterThan(15);
  expect(
    await s.query(`${FUNCTIONS}
      and not coalesce(p.proconfig && array['search_path=""', 'search_path=pg_catalog, pg_temp'], false)`),
  ).toEqual([]);
});

test("P9: the functions that a DBA replaces name pg_temp last: where it is not named it comes first", async () => {
  const lasts = await s.query(
    `${FUNCTIONS} and p.proconfig @> array['search_path=pg_catalog, pg_temp'] order by p.proname`,
  );
  expect(lasts.map(({ name }) => name)).toEqual([
    "sync.authorize(jsonb,text,text,jsonb)",
    "sync.being_json(beings)",
    "sync.intention_json(intentions)",
  ]);
});

/** Types that the grammar knows: what is created with their names has to be called otherwise. */
const OF_GRAMMAR =
  /^(bigint|integer|smallint|boolean|interval|timestamp|numeric|real|double|varchar|time|bit)$/;

/** The types that the bodies of functions name when they run, as they are written. */
function typesIn(text: string, names: readonly string[]): string[] {
  const code = text.replace(/--.*/g, "").replace(/'(?:[^']|'')*'/g, "''");
  const bodies = [...code.matchAll(/\bas (\$\w*\$)(.*?)\1/gs)].map(([, , body]) => body as string);
  return bodies.flatMap((body) => {
    const declared = [...body.matchAll(/\bdeclare\b(.*?)\bbegin\b/gs)].flatMap(([, list]) => [
      ...(list as string).matchAll(/(?:^|;)\s*\w+\s+(?:constant\s+)?([\w.]+)/g),
    ]);
    const columns = [
      ...body.matchAll(/\bas\s+\w*\s*\((?!\s*(?:select|insert|update|delete|order)\b)([^()]*)\)/g),
    ].flatMap(([, list]) => [...(list as string).matchAll(/(?:^|,)\s*\w+\s+([\w.]+)/g)]);
    const cast = [...body.matchAll(/::\s*([\w.]+)/g), ...body.matchAll(/\bcast\s*\([^()]*\bas\s+([\w.]+)/g)];
    const literals = [...body.matchAll(/(?<![\w.])(\w+)\s+''/g)].filter(([, name]) =>
      names.includes(name as string),
    );
    return [...declared, ...columns, ...cast, ...literals].map(([, name]) => name as string);
  });
}
const isSafe = (name: string) => /^(pg_catalog|public|sync)\./.test(name) || OF_GRAMMAR.test(name);

test("P9: no function names a type of which a temporary one could take the place", async () => {
  const names = (
    await s.query("select typname from pg_type where typnamespace = 'pg_catalog'::regnamespace")
  ).map(({ typname }) => typname as string);
  const bad = `as $$ declare a constant xid8 := 1; b bigint; begin
    select c::oid, '1'::pg_catalog.text::regclass, cast(d as json), jsonb '{}', interval '1' from e() as f (g text);
    end $$`;
  expect(
    typesIn(bad, names)
      .filter((name) => !isSafe(name))
      .sort(),
  ).toEqual(["json", "jsonb", "oid", "regclass", "text", "xid8"]);
  const directory = new URL("../../sql/", import.meta.url);
  for (const file of (await readdir(directory)).filter((name) => name.endsWith(".sql"))) {
    const types = typesIn(await readFile(new URL(file, directory), "utf8"), names);
    expect([file, types.filter((name) => !isSafe(name))]).toEqual([file, []]);
  }
});

test("every object that is not private has a comment", async () => {
  const silent = await s.query(
    `${FUNCTIONS}
       and p.proname !~ '^_' and obj_description(p.oid, 'pg_proc') is null
     union all
     select c.oid::regclass::text
     from pg_catalog.pg_class c
     where c.relnamespace in ('sync'::regnamespace, 'public'::regnamespace)
       and c.relkind in ('r', 'v', 'm', 'S', 'p')
       and c.relname not in ('migrations', 'migrations_id_seq') -- of node-pg-migrate
       and obj_description(c.oid, 'pg_class') is null
     union all
     select n.nspname
     from pg_catalog.pg_namespace n
     where n.nspname = 'sync' and obj_description(n.oid, 'pg_namespace') is null`,
  );
  expect(silent).toEqual([]);
});

test("P6: every trigger function is security definer, and is called by a trigger", async () => {
  expect(
    await s.query(`${FUNCTIONS}
      and p.prorettype = 'trigger'::regtype
      and (not p.prosecdef or not exists (select from pg_catalog.pg_trigger t where t.tgfoid = p.oid))`),
  ).toEqual([]);
});

test("P9: nobody but the owner and the relays' role has rights on schema sync, or on anything in it", async () => {
  expect(await s.value("select has_schema_privilege('public', 'sync', 'usage')")).toBe(false);
  expect(
    await s.query(
      `select c.relname as name, a.grantee::regrole::text as role, a.privilege_type as right
       from pg_catalog.pg_class c, aclexplode(c.relacl) a
       where c.relnamespace = 'sync'::regnamespace and a.grantee <> c.relowner`,
    ),
  ).toEqual([{ name: "migrations", role: "spacefeed_relay", right: "SELECT" }]);
  expect(
    await s.query(
      `select distinct a.grantee::regrole::text as role
       from pg_catalog.pg_proc p, aclexplode(p.proacl) a
       where p.pronamespace = 'sync'::regnamespace and a.grantee not in (0, p.proowner)`,
    ),
  ).toEqual([{ role: "spacefeed_relay" }]);
});

test("P8: each kind of statement is noted at once, and recorded at commit, by a trigger on the notes and not on the tables", async () => {
  const rows = await s.query(
    `select concat_ws(' ', t.tgrelid::regclass, t.tgname, case when t.tgdeferrable and t.tginitdeferred then 'deferred' end) as trigger
     from pg_catalog.pg_trigger t
     where t.tgname ~ '^spacefeed_(note|commit)'
     order by 1`,
  );
  expect(rows.map((row) => row.trigger)).toEqual([
    ...["beings", "intentions"].flatMap((table) => [
      `${table} spacefeed_note_delete`,
      `${table} spacefeed_note_insert`,
      `${table} spacefeed_note_truncate`,
      `${table} spacefeed_note_update`,
    ]),
    "sync.notes spacefeed_commit deferred",
  ]);
});

test("every trigger that there has to be is there, and no other one", async () => {
  const there = `select t.tgname::text as name, t.tgrelid::regclass::text as of_table
    from pg_catalog.pg_trigger t where not t.tgisinternal`;
  const wanted = "select w.name, w.of_table::regclass::text as of_table from sync._triggers() w";
  expect(await s.query(`${wanted} order by 2, 1`)).toEqual(await s.query(`${there} order by 2, 1`));
  expect(await s.query(there)).toHaveLength(13);
});

test("P3: the stamp is the last of the BEFORE triggers: what leaves is compared when all others have had their say", async () => {
  await s.undone(async () => {
    await s.run(
      `create function shout() returns trigger language plpgsql as $$
       begin new.name := upper(new.name); return new; end $$`,
      "create trigger users_own before update on beings for each row execute function shout()",
      "insert into beings (id, location_id, name, modified_at) values ('a', 'a', 'quiet', '2024-01-01Z')",
      "update beings set location_id = location_id",
    );
    expect(await s.query("select name, modified_at > '2024-01-01Z' as is_stamped from beings")).toEqual([
      { name: "QUIET", is_stamped: true },
    ]);
  });
});

test("the SQL is in lower case, but for comments, texts and quoted names", async () => {
  const directory = new URL("../../sql/", import.meta.url);
  const names = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith(".sql"));
  expect(names.length).toBeGreaterThan(4);
  for (const name of names) {
    const text = await readFile(new URL(name, directory), "utf8");
    const code = text.replace(/--.*|\b[Ee]?'(?:[^']|'')*'|'(?:[^']|'')*'|"[^"]*"|%(?:\d+\$)?[IL]/g, " ");
    expect([name, code.match(/\w*[A-Z]\w*/g)]).toEqual([name, null]);
  }
});

test("P12: what a commit, a recording and a catch-up run is never compiled first: JIT would take longer than they do", async () => {
  const hot = ["_file", "record", "reach", "changes_since", "snapshot", "_list", "resolve_cursor"];
  const compiled = await s.query(
    `select p.proname as name
     from pg_catalog.pg_proc p
     where p.pronamespace = 'sync'::regnamespace
       and p.proname = any ($1)
       and p.proconfig @> array['jit=off']`,
    [hot],
  );
  expect(compiled.map(({ name }) => name).sort()).toEqual(hot.sort());
});
