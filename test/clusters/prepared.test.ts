import { describe, expect, test } from "vitest";
import { awake } from "../support/postgres/awake.js";
import { clusters, POSTGRES_BIN } from "../support/postgres/cluster.js";
import type { Session } from "../support/postgres/session.js";
import { faults, versionOf } from "../support/relay/feed.js";
import { startTestRelay } from "../support/relay/relay.js";

const say = (id: string) => `insert into public.intentions (id, location_id) values ('${id}', 'hall')`;
const prepare = (session: Session, ...statements: string[]) =>
  session.run("begin", ...statements).then(() => session.outcome("prepare transaction 'both'"));

describe.skipIf(!POSTGRES_BIN)("two-phase commit (skipped where no Postgres with pg_basebackup is)", () => {
  test("PREPARE TRANSACTION works while a relay is awake: what was prepared is recorded once it is committed", async (context) => {
    const cluster = await (await clusters(context)).create("data");
    await cluster.configure("max_prepared_transactions = 2");
    await cluster.start();
    const relay = await startTestRelay({ url: cluster.url, connect: () => Promise.reject() });
    context.onTestFinished(() => relay.close());
    const session = await cluster.session();
    await session.run(awake);

    expect((await prepare(session, say("kept"))).error).toBeUndefined();
    // Others go on, and are recorded beside it (P8).
    await session.run(say("beside"), "select sync.record()");
    expect(await versionOf(session, "hall")).toBe(1);
    await session.run("commit prepared 'both'", "select sync.record()");
    expect(await versionOf(session, "hall")).toBe(2);

    expect((await prepare(session, say("dropped"))).error).toBeUndefined();
    await session.run("rollback prepared 'both'", "select sync.record()");
    const rows = await session.query("select entity_id, version from sync.changes order by version");
    expect(rows).toEqual([
      { entity_id: "beside", version: "1" },
      { entity_id: "kept", version: "2" },
    ]);
    expect(await faults(session)).toEqual([]);

    // Asleep its commit would notify, which Postgres refuses to prepare: nothing of it is stored.
    await session.run("select sync.relay_seen(false)");
    expect((await prepare(session, say("refused"))).error?.code).toBe("0A000");
    expect(
      await session.query("select id from public.intentions where id in ('dropped', 'refused')"),
    ).toEqual([]);
  });
});
