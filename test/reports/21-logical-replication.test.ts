import pg from "pg";
import { describe, expect, test } from "vitest";
import { migrate } from "../../src/server/postgres/migrate.js";
import { clusters, POSTGRES_BIN } from "../support/postgres/cluster.js";
import { Session } from "../support/postgres/session.js";
import { eventsSince, faults, inShort, versionOf } from "../support/relay/feed.js";

describe.skipIf(!POSTGRES_BIN)(
  "logical replication (skipped where there is no Postgres with its tools)",
  () => {
    test("21: what a subscription applies is not seen, as sync.warnings() says, until sync.reset(); what is written there itself is", async (context) => {
      const cluster = await (await clusters(context)).create("logical");
      await cluster.configure("wal_level = logical");
      await cluster.start();
      const admin = await cluster.session();

      /** A database with Spacefeed, in the same server: a publisher and its subscriber. */
      const database = async (name: string) => {
        await admin.run(`create database ${name}`);
        const url = new URL(cluster.url);
        url.pathname = `/${name}`;
        await migrate(url.href, "up");
        const client = new pg.Client({ connectionString: url.href });
        client.on("error", () => {}); // the server goes away under it
        await client.connect();
        context.onTestFinished(() => client.end().catch(() => {}));
        return Session.open({ url: url.href, connect: async () => client });
      };
      const publisher = await database("publisher");
      const subscriber = await database("subscriber");
      await publisher.run(
        "insert into intentions (id, location_id) values ('before', 'hall')",
        "create publication chat for table public.beings, public.intentions",
      );
      await publisher.query("select pg_create_logical_replication_slot('chat', 'pgoutput')");
      await subscriber.run(
        `create subscription chat connection 'host=127.0.0.1 port=${cluster.port} user=postgres dbname=publisher'
       publication chat with (create_slot = false)`,
      );
      await publisher.run(
        "insert into intentions (id, location_id) select 'm' || n, 'hall' from generate_series(1, 5) n",
        "update intentions set state = 'failed' where id = 'before'",
        "delete from intentions where id = 'm5'",
      );
      const there = "select string_agg(id || ' ' || state, ', ' order by id) from intentions";
      await expect
        .poll(() => subscriber.value(there))
        .toBe("before failed, m1 complete, m2 complete, m3 complete, m4 complete");

      expect(await versionOf(subscriber, "hall")).toBe(0);
      expect(await faults(subscriber)).toHaveLength(5);
      const told = await subscriber.query("select code, message, remedy from sync.warnings() order by code");
      expect(told).toEqual([
        { code: "message_sequence", message: expect.any(String), remedy: expect.any(String) },
        {
          code: "subscription",
          message: expect.stringMatching(/^subscription chat .*intentions.*: what it applies is not seen/),
          remedy: expect.stringMatching(/^select sync\.reset\(\);/),
        },
      ]);

      await subscriber.query(String(told[1]?.remedy));
      const version = await versionOf(subscriber, "hall");
      expect([version > 0, await faults(subscriber)]).toEqual([true, []]);
      const state = "select json_array_length(intentions) from sync.snapshot('hall')";
      expect(await subscriber.value(state)).toBe(5);
      await subscriber.run("insert into intentions (id, location_id) values ('here', 'hall')");
      expect(inShort(await eventsSince(subscriber, "hall", version))).toEqual(["intention-created here"]);
      expect(await faults(subscriber)).toEqual([]);
      await subscriber.run("drop subscription chat");
    });
  },
);
