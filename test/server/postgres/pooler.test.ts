import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readConfig } from "../../../src/server/config.js";
import { startRelay } from "../../../src/server/relay.js";
import { useDatabase } from "../../support/postgres/database.js";
import { PGBOUNCER, PgBouncer } from "../../support/postgres/pgbouncer.js";
import { Session } from "../../support/postgres/session.js";
import { expectEqual, followed } from "../../support/relay/follow.js";
import { post, startTestRelay } from "../../support/relay/relay.js";
import { openStream, streamUrl } from "../../support/relay/stream.js";

const db = useDatabase();
let session: Session;
let bouncer: PgBouncer;

/** Of this database: other test files have theirs. */
const LOCKS = `select from pg_locks l join pg_database d on d.oid = l.database and d.datname = current_database()
  where l.locktype = 'advisory'`;

describe.skipIf(!PGBOUNCER)("PgBouncer in transaction mode (skipped where it is not installed)", () => {
  beforeAll(async () => {
    session = await Session.open(db);
    // Fewer sessions than the relay's pool has connections: each transaction may be in another one.
    bouncer = await PgBouncer.before(db.url, 3);
  });
  afterAll(() => bouncer?.close());

  test("P3: the API and the streams work through it, with LISTEN beside it", async (context) => {
    const relay = await startTestRelay(db, { databaseUrl: bouncer.url, listenDatabaseUrl: db.url });
    context.onTestFinished(() => relay.close());
    const hall = { action: "create", beingId: "hall", data: { type: "space" } };
    expect((await post(relay, "beings", hall)).body).toMatchObject({ success: true, version: 1 });
    const client = await followed(context, { url: relay.url, spaceId: "hall" });
    const state = await openStream(new URL("/api/sync?spaceId=hall", relay.url));
    context.onTestFinished(() => state.close());

    const said = Array.from({ length: 60 }, (_, n) => `m${n}`);
    await Promise.all(
      said.map(async (intentionId, n) => {
        const data = { content: [n] };
        const made = await post(relay, "intentions", {
          action: "create",
          intentionId,
          spaceId: "hall",
          data,
        });
        expect(made.body).toMatchObject({ success: true, data: { id: intentionId } });
        const changed = { action: "update", intentionId, data: { state: "active" } };
        expect((await post(relay, "intentions", changed)).status).toBe(200);
        if (n % 3 === 0)
          expect((await post(relay, "intentions", { action: "delete", intentionId })).status).toBe(200);
      }),
    );
    expect((await post(relay, "intentions", { action: "get", intentionId: "m1" })).body.data.content).toEqual(
      [1],
    );
    expect((await post(relay, "intentions", { action: "list", spaceId: "hall" })).body.data).toHaveLength(40);
    expect((await post(relay, "intentions", hall)).status).toBe(400);
    await session.query("insert into intentions (location_id, name) values ('hall', 'from SQL')");
    await expectEqual(client, relay.url);
    await state.until((states) => states.at(-1)?.intentions.at(-1)?.name === "from SQL");

    const late = await openStream(
      streamUrl(relay.url, "hall", (client.getSnapshot().data?.version as number) - 1),
    );
    context.onTestFinished(() => late.close());
    expect((await late.until((events) => events.length === 1))[0]).toMatchObject({
      data: { name: "from SQL" },
    });
    expect((await fetch(`${relay.url}/readyz`)).status).toBe(200);
    const shared = `select application_name from pg_stat_activity
      where datname = current_database() and application_name = 'spacefeed'`;
    expect((await session.query(shared)).length).toBeLessThanOrEqual(4);
  });

  test("the relay migrates beside it, and leaves no lock behind in it", async () => {
    for (let start = 0; start < 3; start++) {
      const relay = await startTestRelay(db, { databaseUrl: bouncer.url, listenDatabaseUrl: db.url });
      await relay.close();
    }
    expect(await session.query(LOCKS)).toEqual([]);
  });

  test("a relay that would LISTEN through it is refused with the reason, and has changed nothing", async () => {
    const starting = startTestRelay(db, { databaseUrl: bouncer.url });
    await expect(starting).rejects.toMatchObject({
      code: "config",
      message: expect.stringMatching(
        /LISTEN does not work.*pooler in transaction mode.*set LISTEN_DATABASE_URL/,
      ),
    });
    expect(await session.query(LOCKS)).toEqual([]);
  });

  test("the limit of a query is the role's there, and its absence is said in the log", async () => {
    const logged: string[] = [];
    const log = pino({ level: "warn" }, { write: (line) => void logged.push(JSON.parse(line).msg) });
    const config = {
      ...readConfig({}),
      databaseUrl: bouncer.url,
      listenDatabaseUrl: db.url,
      demo: false,
      port: 0,
    };
    await (await startRelay(config, log)).close();
    expect(logged).toEqual([
      expect.stringMatching(/no time limit: alter role … set statement_timeout = '10s'/),
    ]);

    // A role of the whole cluster would be other tests', too: here it is the database's.
    const name = new URL(db.url).pathname.slice(1);
    await session.query(`alter database ${name} set statement_timeout = '10s'`);
    const fresh = await PgBouncer.before(db.url, 3);
    try {
      await (await startRelay({ ...config, databaseUrl: fresh.url }, log)).close();
      expect(logged).toHaveLength(1);
    } finally {
      await fresh.close();
    }
  });
});
