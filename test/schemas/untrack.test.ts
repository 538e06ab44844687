import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { migrate } from "../../src/server/postgres/migrate.js";
import { type Cluster, clusters, POSTGRES_BIN } from "../support/postgres/cluster.js";
import { faults } from "../support/relay/feed.js";
import { runFile } from "./statements.js";

/** `pg_dump --schema-only` of everything. What pg_dump draws anew for each dump is left out. */
async function dump(cluster: Cluster): Promise<string> {
  const file = join(cluster.root, "dump.sql");
  await cluster.tool("pg_dump", "--schema-only", "-d", cluster.url, "-f", file);
  return (await readFile(file, "utf8")).replace(/^\\(un)?restrict .*$/gm, "");
}

describe.skipIf(!POSTGRES_BIN)("a schema dump (skipped where no Postgres with its tools is)", () => {
  test("after sync.untrack() the dump of the application's schemas and of sync is as it was", async (context) => {
    const cluster = await (await clusters(context)).create("data");
    await cluster.start();
    await migrate(cluster.url, "up");
    const session = await cluster.session();
    await runFile(session, "tracker.sql");
    await session.run(
      'create schema "select"',
      'create table "select"."order" ("ID" text primary key, "t" text not null)',
      "create table public.parents (id text primary key, room text)",
      "create table public.children (extra integer) inherits (public.parents)",
    );
    const before = await dump(cluster);
    await runFile(session, "tracker-adopt.sql");
    await session.run(
      `select sync.track('"select"."order"', space => 't', columns => array['ID', 't'])`,
      "select sync.track('public.parents', name => 'parent', space => 'room', columns => array['id'])",
    );
    const between = await dump(cluster);
    expect(between.match(/create trigger spacefeed_note_insert/gi)?.length).toBe(2 + 2 + 5 + 1 + 2);
    await session.run("update tracker.comments set body = 'x'", "delete from tracker.tasks where points > 5");
    for (const type of ["project", "task", "comment", "order", "parent"]) {
      await session.run(`select sync.untrack('${type}')`);
    }
    expect(await dump(cluster)).toBe(before);
    expect(await faults(session)).toEqual([]);
    expect(
      await session.query("select from sync.changes where entity_type not in ('being', 'intention')"),
    ).toEqual([]);
    await session.run("update tracker.comments set body = 'y'", "delete from tracker.projects"); // it writes on as before
  });

  test("also of an application that took the names of our two tables, which have them again then", async (context) => {
    const cluster = await (await clusters(context)).create("data");
    await cluster.start();
    await migrate(cluster.url, "up");
    const session = await cluster.session();
    await runFile(session, "rhiz.sql");
    const before = await dump(cluster);
    const [being, intention] = await session.query("select * from sync.tracked order by entity_type");
    await runFile(session, "rhiz-adopt.sql");
    expect(await dump(cluster)).not.toBe(before);
    await session.run("select sync.untrack('intention')", "select sync.untrack('being')");
    const track = `select sync.track(k.of_table, name => k.entity_type, space => 'location_id', columns => k.columns, writable => true,
      sorted_by => k.sorted_by, label => k.label_column, stamp => k.stamp_column, owner => k.owner_column)
      from jsonb_populate_record(null::sync.tracked, $1) k`;
    for (const row of [being, intention]) await session.query(track, [JSON.stringify(row)]);
    await session.run("call sync.fill('being')", "call sync.fill('intention')");
    expect(await dump(cluster)).toBe(before);
    await session.run(
      "insert into public.beings (id, type) values ('hall', 'space')",
      "insert into public.intentions (location_id) values ('hall')",
    );
    expect(await faults(session)).toEqual([]);
  });
});
