import pg from "pg";
import { describe, expect, type TestContext, test } from "vitest";
import { migrate } from "../../src/server/postgres/migrate.js";
import { awake } from "../support/postgres/awake.js";
import { type Cluster, clusters, POSTGRES_BIN } from "../support/postgres/cluster.js";
import { Session } from "../support/postgres/session.js";
import { faults, recordAll, versionOf } from "../support/relay/feed.js";
import { runFile } from "./statements.js";

// The known limits of adopted tables, each shown. Keys of several columns: refusals.test.ts. A million rows in one
// transaction: million.test.ts.

const COUNT = (space: string) =>
  `select json_array_length(entities -> 'comment') from sync.snapshot('${space}')`;
const ONE = "(select id from tracker.tasks order by id limit 1)";

async function tracker(
  context: TestContext,
  ...settings: string[]
): Promise<{ cluster: Cluster; session: Session; keep(cluster: Cluster): Cluster }> {
  const { create, keep } = await clusters(context);
  const cluster = await create("data");
  await cluster.configure(...settings);
  await cluster.start();
  await migrate(cluster.url, "up");
  const session = await cluster.session();
  await runFile(session, "tracker.sql");
  return { cluster, session, keep };
}

describe.skipIf(!POSTGRES_BIN)("known limits (skipped where no Postgres with its tools is)", () => {
  test("two-phase commit: it is refused while relays sleep and listen, and recorded once it is committed while one is awake", async (context) => {
    const { session } = await tracker(context, "max_prepared_transactions = 2");
    await runFile(session, "tracker-adopt.sql");
    const task = (await session.value(`select ${ONE}::text`)) as string;
    const prepare = async (n: number) => {
      await session.run(
        "begin",
        `insert into tracker.comments (task_id, body) values (${ONE}, 'prepared ${n}')`,
      );
      return (await session.outcome(`prepare transaction 'p${n}'`)).error?.code;
    };
    const version = await versionOf(session, task);
    await session.run("select sync.relay_seen(false)"); // a relay listens: the commit would notify
    expect(await prepare(1)).toBe("0A000");
    await session.run(awake);
    expect(await prepare(2)).toBeUndefined();
    await recordAll(session);
    expect(await versionOf(session, task)).toBe(version);
    await session.run("commit prepared 'p2'");
    await recordAll(session);
    expect(await versionOf(session, task)).toBe(version + 1);
    expect(
      await session.value("select count(*)::int from tracker.comments where body like 'prepared%'"),
    ).toBe(1);
    expect(await faults(session)).toEqual([]);
  });

  test("logical replication: what a subscription applies to an adopted table is not seen, until sync.rebuild() or sync.reset()", async (context) => {
    const { cluster, session } = await tracker(context, "wal_level = logical");
    await session.run("create database subscriber", "create publication tracker for all tables");
    await session.query("select pg_create_logical_replication_slot('tracker', 'pgoutput')");
    const url = new URL(cluster.url);
    url.pathname = "/subscriber";
    await migrate(url.href, "up");
    const client = new pg.Client({ connectionString: url.href });
    client.on("error", () => {}); // the server goes away under it
    await client.connect();
    context.onTestFinished(() => client.end().catch(() => {}));
    const subscriber = await Session.open({ url: url.href, connect: async () => client });
    await runFile(subscriber, "tracker.sql");
    await runFile(subscriber, "tracker-adopt.sql");
    await session.run("drop publication tracker", "create publication tracker for table tracker.comments");
    await subscriber.run(
      `create subscription tracker connection 'host=127.0.0.1 port=${cluster.port} user=postgres dbname=postgres'
       publication tracker with (create_slot = false, slot_name = 'tracker', copy_data = false)`,
    );
    const task = (await subscriber.value(`select ${ONE}::text`)) as string;
    const version = await versionOf(subscriber, task);
    const count = (await subscriber.value(COUNT(task))) as number;
    await session.run(`insert into tracker.comments (task_id, body) values (${ONE}, 'applied')`);
    await expect
      .poll(() => subscriber.value("select count(*)::int from tracker.comments where body = 'applied'"))
      .toBe(1);
    expect(await versionOf(subscriber, task)).toBe(version); // no event: clients do not hear of it
    expect(await faults(subscriber)).toMatchObject([
      { entity_type: "comment", fault: "is in the table, but not recorded" },
    ]);
    await subscriber.query("select sync.rebuild($1)", [task]);
    expect([await faults(subscriber), await subscriber.value(COUNT(task))]).toEqual([[], count + 1]);
    await subscriber.run("drop subscription tracker");
  });

  test("a standby: it has the rows and their states, and takes no relay and no tracking: both write", async (context) => {
    const { cluster, session, keep } = await tracker(context);
    await runFile(session, "tracker-adopt.sql");
    const standby = keep(await cluster.backup("standby", undefined, "-R"));
    await standby.start();
    const reader = await standby.session();
    const task = (await session.value(`select ${ONE}::text`)) as string;
    await session.run(`insert into tracker.comments (task_id, body) values (${ONE}, 'replicated')`);
    await expect
      .poll(() => reader.value("select count(*)::int from tracker.comments where body = 'replicated'"))
      .toBe(1);
    expect(await reader.value(COUNT(task))).toBe(await session.value(COUNT(task)));
    expect(await reader.refusal("select sync.relay_seen()")).toBe("25006"); // read-only
    expect(
      await reader.refusal(
        "select sync.track('tracker.members', name => 'member', space => 'id', columns => array['id'])",
      ),
    ).toBe("25006");
  });
});
