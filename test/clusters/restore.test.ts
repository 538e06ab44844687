import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, type TestContext, test } from "vitest";
import type { Relay } from "../../src/server/relay.js";
import { catalogOf } from "../support/postgres/catalog.js";
import { type Cluster, clusters, POSTGRES_BIN } from "../support/postgres/cluster.js";
import { Onlookers, say } from "../support/postgres/onlookers.js";
import type { Session } from "../support/postgres/session.js";
import { faults } from "../support/relay/feed.js";
import { startTestRelay } from "../support/relay/relay.js";
import { TcpProxy } from "../support/relay/tcp-proxy.js";

const SLOW = { timeout: 90_000 };
const HALL = "insert into public.beings (id, type) values ('hall', 'space')";
const cursorOf = (session: Session) => session.value("select sync.current_cursor('hall')") as Promise<string>;
const versionIn = (cursor: string) => Number(cursor.split(".")[1]);

/** A relay that stays through all of it, on a migrated cluster with a space in it. */
async function served(context: TestContext, cluster: Cluster, url = cluster.url): Promise<Relay> {
  const relay = await startTestRelay({ url, connect: () => Promise.reject() }, { heartbeatMs: 100 });
  context.onTestFinished(() => relay.close());
  await (await cluster.session()).query(HALL);
  return relay;
}

describe.skipIf(!POSTGRES_BIN)(
  "restore and failover (skipped where no Postgres with pg_basebackup is)",
  () => {
    test("P11: after a restore to an earlier point everybody ends equal to it", SLOW, async (context) => {
      const { create, keep } = await clusters(context);
      const cluster = await create("data");
      const archive = join(cluster.root, "archive");
      await cluster.configure("archive_mode = on", `archive_command = 'cp %p ${archive}/%f'`);
      await cluster.start();
      const relay = await served(context, cluster);
      let session = await cluster.session();
      const onlookers = new Onlookers(context, relay, "hall");
      const backup = keep(await cluster.backup("backup", cluster.port));
      await say(session, "hall", "before");
      await session.query("select pg_create_restore_point('earlier')");
      await onlookers.equal(session);
      const known = await cursorOf(session);

      await say(session, "hall", "lost 1", "lost 2", "lost 3");
      await onlookers.equal(session);
      const lost = await cursorOf(session);
      onlookers.leaves.drop();
      await cluster.stop(); // archives what is not yet

      await rm(cluster.data, { recursive: true });
      await backup.configure(
        "archive_mode = off",
        "hot_standby = off", // nobody reads what is half restored
        `restore_command = 'cp ${archive}/%f %p'`,
        "recovery_target_name = 'earlier'",
        "recovery_target_action = 'promote'",
      );
      await backup.recover();
      await backup.start();
      session = await backup.session();
      expect(versionIn(await cursorOf(session)), "what was restored").toBe(versionIn(known));
      await onlookers.equal(session);

      // The same version numbers with other content.
      await say(session, "hall", "other 1", "other 2", "other 3");
      expect(versionIn(await cursorOf(session))).toBe(versionIn(lost));
      expect(await cursorOf(session)).not.toBe(lost);
      onlookers.leaves.connect();
      await onlookers.equal(session);
      expect(onlookers.spaceSyncs).toEqual([2, 2]);
      expect(await faults(session)).toEqual([]);
    });

    test(
      "P11: data files that were copied and started as they were are another history after sync.reset()",
      SLOW,
      async (context) => {
        const { create, keep } = await clusters(context);
        const cluster = await create("data");
        await cluster.start();
        const relay = await served(context, cluster);
        let session = await cluster.session();
        const onlookers = new Onlookers(context, relay, "hall");
        const backup = keep(await cluster.backup("backup"));
        await say(session, "hall", "lost 1", "lost 2");
        await onlookers.equal(session);
        const lost = await cursorOf(session);
        onlookers.leaves.drop();
        await cluster.stop();

        // Where nobody else is, until it has another epoch.
        await backup.start();
        session = await backup.session();
        await session.query("select sync.reset()");
        await say(session, "hall", "other 1");
        await backup.stop();
        backup.port = cluster.port;
        await backup.start();
        session = await backup.session();
        expect(versionIn(await cursorOf(session))).toBe(versionIn(lost));
        onlookers.leaves.connect();
        await onlookers.equal(session);
        expect(onlookers.spaceSyncs).toEqual([2, 2]);
        expect(await faults(session)).toEqual([]);
      },
    );

    test(
      "P11: a standby that was promoted without the last commits is another history, one that had them all costs a space-sync",
      SLOW,
      async (context) => {
        const { create, keep } = await clusters(context);
        const first = await create("first");
        await first.start();
        const { proxy, url } = await TcpProxy.before(first.url);
        context.onTestFinished(() => proxy.close());
        const relay = await served(context, first, url);
        let session = await first.session();
        const onlookers = new Onlookers(context, relay, "hall");
        const standby = keep(await first.backup("standby", undefined, "-R"));
        await standby.start();
        await say(session, "hall", "kept");
        await onlookers.equal(session);
        await received(session, await standby.session());

        const cut = await standby.session();
        expect(await cut.query("select code from sync.warnings()")).toEqual([{ code: "standby" }]);
        await cut.query("alter system set primary_conninfo = ''");
        await cut.query("select pg_reload_conf()");
        await until(cut, "select count(*) = 0 from pg_stat_wal_receiver");
        await say(session, "hall", "lost 1", "lost 2");
        await onlookers.equal(session);
        const lost = await cursorOf(session);
        onlookers.leaves.drop();
        await first.stop("immediate");
        await standby.promote();
        proxy.lead(standby.url);

        session = await standby.session();
        await say(session, "hall", "other 1", "other 2");
        expect(versionIn(await cursorOf(session))).toBe(versionIn(lost));
        onlookers.leaves.connect();
        await onlookers.equal(session);
        expect(onlookers.spaceSyncs).toEqual([2, 2]);

        // In order, and with nothing lost: the timeline is another one all the same, and nobody can tell.
        const second = keep(await standby.backup("second", undefined, "-R"));
        await second.start();
        await received(session, await second.session());
        await standby.stop();
        await second.promote();
        proxy.lead(second.url);
        session = await second.session();
        await say(session, "hall", "after");
        await onlookers.equal(session);
        expect(onlookers.spaceSyncs).toEqual([3, 3]);
        expect(await faults(session)).toEqual([]);
      },
    );

    test("P11: a dump that was restored into another server is another history", SLOW, async (context) => {
      const { create } = await clusters(context);
      const [first, other] = [await create("first"), await create("other")];
      await first.start();
      await other.start();
      const { proxy, url } = await TcpProxy.before(first.url);
      context.onTestFinished(() => proxy.close());
      const relay = await served(context, first, url);
      let session = await first.session();
      const onlookers = new Onlookers(context, relay, "hall");
      await say(session, "hall", "kept");
      const dump = join(first.root, "dump");
      await first.tool("pg_dump", "-d", first.url, "-Fc", "-f", dump);
      await say(session, "hall", "lost 1", "lost 2");
      await onlookers.equal(session);
      const lost = await cursorOf(session);
      onlookers.leaves.drop();
      // The rights of the dump name the role, which is the cluster's and in no dump.
      await (await other.session()).run("create role spacefeed_relay nologin");
      await other.tool("pg_restore", "-d", other.url, dump);
      expect(await triggersOf(await other.session())).toEqual(await triggersOf(await first.session()));
      proxy.lead(other.url);
      await first.stop();

      session = await other.session();
      await say(session, "hall", "other 1", "other 2");
      expect(versionIn(await cursorOf(session))).toBe(versionIn(lost));
      onlookers.leaves.connect();
      await onlookers.equal(session);
      expect(onlookers.spaceSyncs).toEqual([2, 2]);
      expect(await faults(session)).toEqual([]);
    });

    test(
      "P11: a restart or a crash of the same history costs nobody a space-sync, sync.reset() one each",
      SLOW,
      async (context) => {
        const { create } = await clusters(context);
        const cluster = await create("data");
        await cluster.start();
        const relay = await served(context, cluster);
        let session = await cluster.session();
        const onlookers = new Onlookers(context, relay, "hall");
        await say(session, "hall", "first");
        await onlookers.equal(session);
        onlookers.leaves.drop();
        for (const mode of ["fast", "immediate"] as const) {
          await say(session, "hall", `before ${mode}`);
          await cluster.stop(mode);
          await cluster.start();
          session = await cluster.session();
          await say(session, "hall", `after ${mode}`);
          await onlookers.equal(session);
        }
        onlookers.leaves.connect();
        await onlookers.equal(session);
        expect(onlookers.spaceSyncs).toEqual([1, 1]);

        await session.query("select sync.reset()");
        await onlookers.equal(session);
        await say(session, "hall", "after the reset");
        await onlookers.equal(session);
        expect(onlookers.spaceSyncs).toEqual([2, 2]);
      },
    );
  },
);

/** The triggers. Of the rest Postgres writes some otherwise when it reads it again, which means the same. */
async function triggersOf({ client }: Session): Promise<string[]> {
  return (await catalogOf(client)).filter((line) => line.startsWith("trigger "));
}

/** Waits until a query says true. */
async function until(session: Session, query: string, values: unknown[] = []): Promise<void> {
  await expect.poll(() => session.value(query, values), { timeout: 20_000 }).toBe(true);
}

/** Waits until a standby has all that its primary has. */
async function received(primary: Session, standby: Session): Promise<void> {
  const lsn = await primary.value("select pg_current_wal_lsn()::text");
  await until(standby, "select pg_last_wal_replay_lsn() >= $1::pg_lsn", [lsn]);
}
